package io.github.urae.weights.internal.gguf;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.internal.JsonTrees;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;

/**
 * T5's tokenizer as llama.cpp puts it into the metadata of a GGUF file, told in the words of a
 * {@code tokenizer.json}, so that it is checked and used as that is.
 *
 * @param file the GGUF file
 * @param end id of the end token, where the file says it
 * @param pad id of the padding token, where the file says it
 * @param content as of a {@code tokenizer.json}, in UTF-8
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF: tokenizers</a>
 */
@SuppressWarnings("ArrayRecordComponent") // Compared by nobody, and as large as a vocabulary.
public record GgufTokenizer(Path file, long end, long pad, byte[] content) {

  private static final String PREFIX = "tokenizer.ggml.";

  /** Kinds of pieces that are recognised as wholes: unknown, control and user-defined. */
  private static final List<Integer> ADDED = List.of(2, 3, 4);

  private static final int BYTE = 6;

  private static final char WORD = '\u2581';

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  /**
   * Reads a tokenizer.
   *
   * @param file a GGUF file of T5
   * @param end where the file does not say it
   * @param pad where the file does not say it
   * @return the tokenizer
   * @throws IOException if it cannot be read
   * @throws ModelException if it holds no tokenizer of T5's kind
   * @throws FileFormatException if it is damaged
   */
  public static GgufTokenizer read(Path file, long end, long pad) throws IOException {
    GgufMetadata metadata = GgufMetadata.read(file);
    String kind = metadata.text(PREFIX + "model").orElse("none");
    if (!kind.equals("t5")) {
      throw new ModelException(
          file
              + ": '"
              + PREFIX
              + "model': expected t5, the tokenizer of T5, found "
              + PrintableText.shortened(kind)
              + "; name a folder with T5's tokenizer.json (--tokenizers DIR, tokenizers(...))");
    }
    List<String> pieces = metadata.strings(PREFIX + "tokens");
    float[] scores = metadata.floats(PREFIX + "scores");
    int[] kinds = metadata.integers(PREFIX + "token_type");
    if (scores.length != pieces.size() || (kinds.length > 0 && kinds.length != scores.length)) {
      throw new FileFormatException(
          file
              + ": the tokenizer has "
              + pieces.size()
              + " pieces, but "
              + scores.length
              + " scores and "
              + kinds.length
              + " kinds; the file is damaged: download it again");
    }
    ObjectNode root = NODES.objectNode();
    root.set("added_tokens", added(pieces, kinds));
    root.set("normalizer", normalizer(metadata));
    boolean prefix = metadata.flag(PREFIX + "add_space_prefix").orElse(true);
    root.putObject("pre_tokenizer")
        .put("type", "Metaspace")
        .put("replacement", String.valueOf(WORD))
        .put("prepend_scheme", prefix ? "always" : "never")
        .put("add_prefix_space", prefix);
    ObjectNode model = root.putObject("model");
    model.put("type", "Unigram");
    model.put("unk_id", metadata.integer(PREFIX + "unknown_token_id").orElse(2L));
    boolean bytes = false;
    ArrayNode vocabulary = model.putArray("vocab");
    for (int i = 0; i < scores.length; i++) {
      vocabulary.addArray().add(pieces.get(i)).add((double) scores[i]);
      bytes |= kinds.length > 0 && kinds[i] == BYTE;
    }
    model.put("byte_fallback", bytes);
    return new GgufTokenizer(
        file,
        metadata.integer(PREFIX + "eos_token_id").orElse(end),
        metadata.integer(PREFIX + "padding_token_id").orElse(pad),
        JsonTrees.utf8(root));
  }

  private static ArrayNode added(List<String> pieces, int[] kinds) {
    ArrayNode added = NODES.arrayNode();
    for (int i = 0; i < kinds.length; i++) {
      if (ADDED.contains(kinds[i])) {
        added.addObject().put("id", i).put("content", pieces.get(i)).put("special", true);
      }
    }
    return added;
  }

  /** As transformers' converter writes it: the character map, then what SentencePiece does. */
  private static ObjectNode normalizer(GgufMetadata metadata) throws IOException {
    ObjectNode normalizer = NODES.objectNode().put("type", "Sequence");
    ArrayNode members = normalizer.putArray("normalizers");
    byte[] map = metadata.bytes(PREFIX + "precompiled_charsmap");
    if (map.length > 0) {
      members
          .addObject()
          .put("type", "Precompiled")
          .put("precompiled_charsmap", new String(Base64.getEncoder().encode(map), US_ASCII));
    }
    if (metadata.flag(PREFIX + "remove_extra_whitespaces").orElse(true)) {
      members.addObject().put("type", "Strip").put("strip_left", false).put("strip_right", true);
      ObjectNode replace = members.addObject().put("type", "Replace");
      replace.putObject("pattern").put("Regex", " {2,}");
      replace.put("content", String.valueOf(WORD));
    }
    return normalizer;
  }
}
