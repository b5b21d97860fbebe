package io.github.urae.onnx.internal.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.urae.FileFormatException;
import io.github.urae.internal.JsonTrees;
import io.github.urae.weights.internal.gguf.GgufTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * T5's tokenizer, from its {@code tokenizer.json} or a GGUF file of T5: the text, the end token,
 * then padding.
 */
public final class T5Tokenizer extends FramedTokenizer {

  private T5Tokenizer(NativeTokenizer tokenizer, long end, long pad, int maxLength) {
    super(tokenizer, new long[0], end, pad, maxLength);
  }

  /**
   * Opens a tokenizer.
   *
   * @param folder the checkpoint's folder {@code tokenizer_2}, or a GGUF file that holds the
   *     tokenizer
   * @param end id of the end token, 1
   * @param pad id of the padding token, 0
   * @return the tokenizer; the caller closes it
   * @throws IOException if {@code tokenizer.json} is missing or cannot be read
   * @throws FileFormatException if it is damaged
   */
  public static T5Tokenizer open(Path folder, long end, long pad) throws IOException {
    if (Files.isRegularFile(folder)) {
      GgufTokenizer own = GgufTokenizer.read(folder, end, pad);
      return new T5Tokenizer(
          create(TokenizerFile.of(folder, own.content(), new UnigramReader(folder))),
          own.end(),
          own.pad(),
          Integer.MAX_VALUE);
    }
    Path file = folder.resolve("tokenizer.json");
    if (!Files.exists(file)) {
      throw new NoSuchFileException(
          file.toString(),
          null,
          "T5 is read from tokenizer.json, which FLUX.1's checkpoints hold beside spiece.model;"
              + " download it too");
    }
    NativeTokenizer tokenizer = create(TokenizerFile.read(file, new UnigramReader(file)));
    TokenizerConfig config = TokenizerConfig.read(folder, "CLIP");
    return new T5Tokenizer(tokenizer, end, pad, config.maxLength());
  }

  private static NativeTokenizer create(TokenizerFile file) throws IOException {
    byte[] description = JsonTrees.utf8(UnigramDescription.of(file));
    return NativeTokenizer.create(new String(description, UTF_8), file.path());
  }
}
