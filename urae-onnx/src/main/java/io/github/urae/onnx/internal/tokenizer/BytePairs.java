package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * The vocabulary of a CLIP tokenizer and the pairs that it merges, checked, from either of the two
 * forms in which they are stored.
 *
 * @param file where the vocabulary is from, for messages
 * @param vocabulary ids by token
 * @param merges pairs in their order, each as text with a space between
 * @param added tokens that are recognised whole, as the native library has them
 */
record BytePairs(TokenizerFile file, ObjectNode vocabulary, ArrayNode merges, ArrayNode added) {

  /** As many merges as CLIP's vocabulary of 49152 - 256 - 2 pairs has room for. */
  private static final int MAX_MERGES = 49152 - 256 - 2;

  private static final int MAX_TEXT_BYTES = 1 << 26;

  /**
   * Reads {@code vocab.json} and {@code merges.txt}.
   *
   * @throws IOException if one is missing or cannot be read
   * @throws FileFormatException if one is damaged
   */
  static BytePairs ofText(Path vocabularyFile, Path mergesFile) throws IOException {
    TokenizerFile file = TokenizerFile.read(vocabularyFile);
    ObjectNode vocabulary = vocabulary(file, "vocab.json", file.root());
    List<String> lines = InputFile.text(mergesFile, MAX_TEXT_BYTES).lines().toList();
    ArrayNode merges = JsonNodeFactory.instance.arrayNode();
    // The first line is the version.
    for (int i = 1; i < lines.size() && merges.size() < MAX_MERGES; i++) {
      if (lines.get(i).isBlank()) {
        continue;
      }
      String[] parts = lines.get(i).split(" ", -1);
      if (parts.length != 2) {
        throw new FileFormatException(
            mergesFile
                + ": line "
                + (i + 1)
                + ": expected two parts, found "
                + PrintableText.quoted(lines.get(i)));
      }
      if (!fit(vocabulary, parts[0], parts[1])) {
        throw new FileFormatException(
            mergesFile
                + ": line "
                + (i + 1)
                + ": "
                + vocabularyFile
                + " lacks a part of "
                + PrintableText.quoted(lines.get(i))
                + ", or both together; the files belong to different tokenizers");
      }
      merges.add(lines.get(i));
    }
    return new BytePairs(file, vocabulary, merges, JsonNodeFactory.instance.arrayNode());
  }

  /**
   * Reads a {@code tokenizer.json}, which is all that newer programs write.
   *
   * @throws IOException if it is missing or cannot be read
   * @throws FileFormatException if it is damaged or of another kind
   */
  static BytePairs ofJson(Path path) throws IOException {
    TokenizerFile file = TokenizerFile.read(path);
    JsonNode model = file.model("BPE", "CLIP");
    ObjectNode vocabulary = vocabulary(file, "model.vocab", model.path("vocab"));
    ArrayNode added = file.addedTokens();
    for (JsonNode token : added) {
      // Older files list special tokens here alone.
      if (!vocabulary.has(token.get("content").textValue())) {
        vocabulary.set(token.get("content").textValue(), token.get("id"));
      }
    }
    JsonNode merges = model.path("merges");
    if (!merges.isArray()) {
      throw file.damaged("model.merges", "an array", merges);
    }
    ArrayNode pairs = JsonNodeFactory.instance.arrayNode(merges.size());
    for (JsonNode merge : merges) {
      pairs.add(pair(file, vocabulary, merge));
    }
    return new BytePairs(file, vocabulary, pairs, added);
  }

  /** Two generations: a text with a space between, and an array of two. */
  private static String pair(TokenizerFile file, ObjectNode vocabulary, JsonNode merge) {
    String[] parts = {};
    if (merge.isTextual()) {
      parts = merge.textValue().split(" ", -1);
    } else if (merge.isArray()
        && merge.size() == 2
        && merge.get(0).isTextual()
        && merge.get(1).isTextual()) {
      parts = new String[] {merge.get(0).textValue(), merge.get(1).textValue()};
    }
    if (parts.length != 2
        || parts[0].contains(" ")
        || parts[1].contains(" ")
        || !fit(vocabulary, parts[0], parts[1])) {
      throw file.damaged("model.merges", "pairs of tokens of the vocabulary", merge);
    }
    return parts[0] + " " + parts[1];
  }

  private static boolean fit(ObjectNode vocabulary, String left, String right) {
    return vocabulary.has(left) && vocabulary.has(right) && vocabulary.has(left + right);
  }

  private static ObjectNode vocabulary(TokenizerFile file, String key, JsonNode node) {
    if (!node.isObject() || node.isEmpty()) {
      throw file.damaged(key, "an object from tokens to ids", node);
    }
    ObjectNode vocabulary = JsonNodeFactory.instance.objectNode();
    for (Map.Entry<String, JsonNode> entry : node.properties()) {
      String token = entry.getKey();
      file.text(key, JsonNodeFactory.instance.textNode(token));
      vocabulary.put(token, file.id(key + "." + PrintableText.shortened(token), entry.getValue()));
    }
    return vocabulary;
  }

  /**
   * Returns the id of a token.
   *
   * @throws FileFormatException if there is none
   */
  long id(String token) {
    JsonNode id = vocabulary.get(token);
    if (id == null) {
      throw new FileFormatException(
          file.path()
              + ": expected an id for "
              + PrintableText.shortened(token)
              + ", found none; the file belongs to another tokenizer than CLIP's");
    }
    return id.longValue();
  }
}
