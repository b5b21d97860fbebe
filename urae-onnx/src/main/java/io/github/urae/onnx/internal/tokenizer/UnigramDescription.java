package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.POJONode;
import io.github.urae.onnx.internal.tokenizer.UnigramReader.Pieces;

/**
 * What the native library is told of a T5 tokenizer: copied from its {@code tokenizer.json} value
 * by value, without what encoding does not need (decoder, post-processor, truncation, padding).
 */
final class UnigramDescription {

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
    JsonNode vocabulary = model.path("vocab");
    if (!(vocabulary instanceof POJONode own) || ((Pieces) own.getPojo()).count() == 0) {
      throw file.damaged("model.vocab", "expected an array of pieces with their scores");
    }
    Pieces pieces = (Pieces) own.getPojo();
    ObjectNode copy = JsonNodeFactory.instance.objectNode();
    copy.put("type", "Unigram");
    // Without one, a character that no piece has would end the process.
    copy.put("unk_id", file.id("model.unk_id", model.path("unk_id"), pieces.count()));
    copy.putPOJO("vocab", pieces.array());
    copy.put("byte_fallback", file.flag("model.byte_fallback", model.path("byte_fallback"), false));
    return copy;
  }
}
