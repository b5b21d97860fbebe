package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.JsonConfig;
import io.github.urae.internal.JsonTrees;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Makes a tree of what is needed of T5's {@code tokenizer.json}. The pieces are checked as they
 * come by, and stand in the tree as {@link Pieces}; the character map stands there as {@link
 * Verbatim}. Both are too large for trees: of the time in which a small model starts, a tenth went
 * there.
 */
final class UnigramReader implements JsonConfig.Reader {

  private static final int MAX_PIECES = 1 << 22;

  /** Scores are logarithms of probabilities. */
  private static final double LARGEST_SCORE = 1e9;

  private static final JsonFactory JSON = BoundedJson.trees().build();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final Path file;

  /**
   * Creates a reader.
   *
   * @param file where the content is from, for messages
   */
  UnigramReader(Path file) {
    this.file = file;
  }

  /**
   * The vocabulary, checked.
   *
   * @param count how many pieces
   * @param array where they stand
   */
  record Pieces(int count, Verbatim array) {}

  @Override
  public JsonNode read(byte[] content) throws IOException {
    try (JsonParser parser = JSON.createParser(content)) {
      JsonToken first = parser.nextToken();
      if (first != JsonToken.START_OBJECT) {
        return first == null ? MissingNode.getInstance() : JsonTrees.value(parser);
      }
      if (parser.currentTokenLocation().getByteOffset() < 0) {
        throw TokenizerFile.damaged(file, "content", "expected UTF-8, found UTF-16 or UTF-32");
      }
      ObjectNode root = NODES.objectNode();
      for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
        parser.nextToken();
        switch (key) {
          case "model" -> root.set(key, model(parser, content));
          case "normalizer" -> root.set(key, normalizer(parser, content));
          case "pre_tokenizer", "added_tokens" -> root.set(key, JsonTrees.value(parser));
          default -> parser.skipChildren();
        }
      }
      return root;
    }
  }

  private JsonNode model(JsonParser parser, byte[] content) throws IOException {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      return JsonTrees.value(parser);
    }
    ObjectNode model = NODES.objectNode();
    for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
      boolean pieces = parser.nextToken() == JsonToken.START_ARRAY && key.equals("vocab");
      if (pieces) {
        model.putPOJO(key, pieces(parser, content));
      } else {
        model.set(key, JsonTrees.value(parser));
      }
    }
    return model;
  }

  private Pieces pieces(JsonParser parser, byte[] content) throws IOException {
    int from = (int) parser.currentTokenLocation().getByteOffset();
    int count = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      if (!isPiece(parser)) {
        throw TokenizerFile.damaged(
            file,
            "model.vocab",
            "expected pieces of 1 to 1024 characters with their scores, found something else after "
                + count
                + " of them");
      }
      count++;
      if (count > MAX_PIECES) {
        throw TokenizerFile.damaged(
            file, "model.vocab", "expected at most " + MAX_PIECES + " pieces, found more");
      }
    }
    int to = (int) parser.currentLocation().getByteOffset();
    return new Pieces(count, new Verbatim(content, from, to));
  }

  private static boolean isPiece(JsonParser parser) throws IOException {
    return parser.currentToken() == JsonToken.START_ARRAY
        && parser.nextToken() == JsonToken.VALUE_STRING
        && TokenizerFile.isWhole(parser.getText())
        && parser.nextToken().isNumeric()
        && Math.abs(parser.getDoubleValue()) <= LARGEST_SCORE
        && parser.nextToken() == JsonToken.END_ARRAY;
  }

  /** Reads a tree in which character maps stand as they are. */
  private static JsonNode normalizer(JsonParser parser, byte[] content) throws IOException {
    if (parser.currentToken() == JsonToken.START_ARRAY) {
      var array = NODES.arrayNode();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        array.add(normalizer(parser, content));
      }
      return array;
    }
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      return JsonTrees.value(parser);
    }
    ObjectNode object = NODES.objectNode();
    String key = parser.nextFieldName();
    while (key != null) {
      boolean map =
          parser.nextToken() == JsonToken.VALUE_STRING && key.equals("precompiled_charsmap");
      if (map) {
        int from = (int) parser.currentTokenLocation().getByteOffset();
        String next = parser.nextFieldName();
        int after = (int) parser.currentTokenLocation().getByteOffset();
        object.putPOJO(key, new Verbatim(content, from, endOfText(content, after)));
        key = next;
      } else {
        object.set(key, normalizer(parser, content));
        key = parser.nextFieldName();
      }
    }
    return object;
  }

  /** Returns where a text ends that was skipped: only commas and white space follow it. */
  private static int endOfText(byte[] content, int nextToken) {
    int end = nextToken;
    while (content[end - 1] != '"') {
      end--;
    }
    return end;
  }
}
