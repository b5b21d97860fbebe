package io.github.urae.onnx.internal.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.urae.FileFormatException;
import io.github.urae.internal.JsonTrees;
import io.github.urae.weights.internal.gguf.GgufTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * T5's tokenizer, from its {@code tokenizer.json} or a GGUF file of T5: the text, the end token,
 * then padding.
 */
public final class T5Tokenizer implements Tokenizer {

  private final NativeTokenizer tokenizer;
  private final long end;
  private final long pad;
  private final int maxLength;

  private T5Tokenizer(NativeTokenizer tokenizer, long end, long pad, int maxLength) {
    this.tokenizer = tokenizer;
    this.end = end;
    this.pad = pad;
    this.maxLength = maxLength;
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

  @Override
  public long[] encode(String text, int length) {
    if (length < 1) {
      throw new IllegalArgumentException("expected room for the end token, got " + length);
    }
    long[] words = tokenizer.encode(text);
    int kept = Math.min(words.length, length - 1);
    long[] ids = new long[length];
    System.arraycopy(words, 0, ids, 0, kept);
    ids[kept] = end;
    Arrays.fill(ids, kept + 1, length, pad);
    return ids;
  }

  @Override
  public String lost(String text, int length) {
    return tokenizer.after(text, length - 1);
  }

  @Override
  public int maxLength() {
    return maxLength;
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
