package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * What the native library is told of a T5 tokenizer: copied from its {@code tokenizer.json} value
 * by value, without what encoding does not need (decoder, post-processor, truncation, padding).
 */
final class UnigramDescription {

  private static final int MAX_PIECES = 1 << 22;

  /** Scores are logarithms of probabilities. */
  private static final double LARGEST_SCORE = 1e9;

  private final TokenizerFile file;
  private final JsonNode model;

  private UnigramDescription(TokenizerFile file) {
    this.file = file;
    this.model = file.model("Unigram", "T5");
  }

  /**
   * Describes a tokenizer.
   *
   * @param file a {@code tokenizer.json}
   * @return a smaller one that says the same of encoding
   * @throws io.github.urae.FileFormatException if it is damaged or no tokenizer of T5's kind
   */
  static ObjectNode of(TokenizerFile file) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("version", "1.0");
    root.set("added_tokens", file.addedTokens());
    root.set("normalizer", TextRules.normalizer(file));
    root.set("pre_tokenizer", TextRules.preTokenizer(file));
    root.set("model", new UnigramDescription(file).model());
    return root;
  }

  private ObjectNode model() {
    ArrayNode pieces = pieces();
    ObjectNode copy = JsonNodeFactory.instance.objectNode();
    copy.put("type", "Unigram");
    // Without one, a character that no piece has would end the process.
    copy.put("unk_id", file.id("model.unk_id", model.path("unk_id"), pieces.size()));
    copy.set("vocab", pieces);
    copy.put("byte_fallback", file.flag("model.byte_fallback", model.path("byte_fallback"), false));
    return copy;
  }

  private ArrayNode pieces() {
    JsonNode vocabulary = model.path("vocab");
    if (!vocabulary.isArray() || vocabulary.isEmpty() || vocabulary.size() > MAX_PIECES) {
      throw file.damaged("model.vocab", "an array of 1 to " + MAX_PIECES + " pieces", vocabulary);
    }
    ArrayNode pieces = JsonNodeFactory.instance.arrayNode(vocabulary.size());
    for (JsonNode entry : vocabulary) {
      JsonNode score = entry.path(1);
      boolean fits =
          entry.isArray()
              && entry.size() == 2
              && score.isNumber()
              && Math.abs(score.doubleValue()) <= LARGEST_SCORE;
      if (!fits) {
        throw file.damaged("model.vocab", "pieces with their scores", entry);
      }
      file.text("model.vocab", entry.get(0));
      pieces.add(entry);
    }
    return pieces;
  }
}
