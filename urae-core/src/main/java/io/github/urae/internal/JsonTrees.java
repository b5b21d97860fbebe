package io.github.urae.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.POJONode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Map;

/**
 * JSON to trees and back. Jackson's own {@code ObjectMapper} does the same; to make one takes a
 * tenth of the time in which a small model starts, for it prepares to map any class.
 *
 * <p>Of a key that occurs twice the last value holds, unless the factory refuses it. Thread-safe.
 */
public final class JsonTrees implements JsonConfig.Reader {

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final JsonFactory WRITING = BoundedJson.factory().build();

  private final JsonFactory factory;

  /**
   * Creates a reader.
   *
   * @param factory says what is JSON and how deep and long it may be: one of {@link BoundedJson},
   *     whose depth this class relies upon
   */
  public JsonTrees(JsonFactoryBuilder factory) {
    this.factory = factory.build();
  }

  /**
   * Reads the first value of a text; what follows is not looked at.
   *
   * @param content in UTF-8, with or without a byte order mark
   * @return the tree; a missing node if there is nothing
   * @throws JsonProcessingException if it is no JSON
   * @throws IOException if it is not UTF-8
   */
  @Override
  public JsonNode read(byte[] content) throws IOException {
    try (JsonParser parser = factory.createParser(content)) {
      return first(parser);
    }
  }

  /**
   * Reads the first value of a text; what follows is not looked at.
   *
   * @param content the text
   * @return the tree; a missing node if there is nothing
   * @throws JsonProcessingException if it is no JSON
   */
  public JsonNode read(String content) throws JsonProcessingException {
    return read(content, false);
  }

  /**
   * Reads a text that holds one value and nothing more.
   *
   * @param content the text
   * @return the tree; a missing node if there is nothing
   * @throws JsonProcessingException if it is no JSON, or something follows
   */
  public JsonNode readWhole(String content) throws JsonProcessingException {
    return read(content, true);
  }

  private JsonNode read(String content, boolean whole) throws JsonProcessingException {
    try (JsonParser parser = factory.createParser(content)) {
      JsonNode tree = first(parser);
      if (whole && parser.nextToken() != null) {
        throw new JsonParseException(parser, "expected nothing after the value, found more");
      }
      return tree;
    } catch (JsonProcessingException e) {
      throw e;
    } catch (IOException e) {
      throw new UncheckedIOException("a text in memory can be read", e);
    }
  }

  private static JsonNode first(JsonParser parser) throws IOException {
    return parser.nextToken() == null ? MissingNode.getInstance() : value(parser);
  }

  /**
   * Reads the value at which a parser stands.
   *
   * @param parser at the first token of the value; afterwards at its last
   * @return the tree
   * @throws JsonProcessingException if it is no JSON
   * @throws IOException if it cannot be read
   */
  public static JsonNode value(JsonParser parser) throws IOException {
    return new Growing(parser).value();
  }

  /** A tree while it is read, whose parts are counted: Jackson counts them only from 2.18 on. */
  private static final class Growing {

    private final JsonParser parser;
    private long tokens;

    Growing(JsonParser parser) {
      this.parser = parser;
    }

    private void count() throws IOException {
      tokens++;
      if (tokens > BoundedJson.MAX_TOKENS) {
        throw new JsonParseException(
            parser, "Token count exceeds the maximum of " + BoundedJson.MAX_TOKENS);
      }
    }

    JsonNode value() throws IOException {
      count();
      return switch (parser.currentToken()) {
        case START_OBJECT -> {
          count();
          ObjectNode object = NODES.objectNode();
          for (String key = parser.nextFieldName(); key != null; key = parser.nextFieldName()) {
            count();
            parser.nextToken();
            object.set(key, value());
          }
          yield object;
        }
        case START_ARRAY -> {
          count();
          ArrayNode array = NODES.arrayNode();
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            array.add(value());
          }
          yield array;
        }
        case VALUE_STRING -> NODES.textNode(parser.getText());
        case VALUE_NUMBER_INT ->
            switch (parser.getNumberType()) {
              case INT -> NODES.numberNode(parser.getIntValue());
              case LONG -> NODES.numberNode(parser.getLongValue());
              default -> NODES.numberNode(parser.getBigIntegerValue());
            };
        case VALUE_NUMBER_FLOAT -> NODES.numberNode(parser.getDoubleValue());
        case VALUE_TRUE -> NODES.booleanNode(true);
        case VALUE_FALSE -> NODES.booleanNode(false);
        case VALUE_NULL -> NODES.nullNode();
        default -> throw new JsonParseException(parser, "expected a value");
      };
    }
  }

  /**
   * Writes a tree.
   *
   * @param tree of plain values
   * @return the shortest form
   */
  public static String text(JsonNode tree) {
    StringWriter text = new StringWriter();
    try (JsonGenerator out = WRITING.createGenerator(text)) {
      write(tree, out);
    } catch (IOException e) {
      throw new UncheckedIOException("a tree of plain values can be written to memory", e);
    }
    return text.toString();
  }

  /**
   * Writes a tree.
   *
   * @param tree of plain values, and of values that write themselves
   * @return the shortest form, in UTF-8
   */
  public static byte[] utf8(JsonNode tree) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = WRITING.createGenerator(bytes)) {
      write(tree, out);
    } catch (IOException e) {
      throw new UncheckedIOException("a tree of plain values can be written to memory", e);
    }
    return bytes.toByteArray();
  }

  /**
   * Writes a tree.
   *
   * @param tree of plain values, and of values that write themselves
   * @param out takes it
   * @throws IOException if that fails
   */
  public static void write(JsonNode tree, JsonGenerator out) throws IOException {
    if (tree.isObject()) {
      out.writeStartObject();
      for (Map.Entry<String, JsonNode> entry : tree.properties()) {
        out.writeFieldName(entry.getKey());
        write(entry.getValue(), out);
      }
      out.writeEndObject();
    } else if (tree.isArray()) {
      out.writeStartArray();
      for (JsonNode element : tree) {
        write(element, out);
      }
      out.writeEndArray();
    } else if (tree.isTextual()) {
      out.writeString(tree.textValue());
    } else if (tree.isIntegralNumber()) {
      writeInteger(tree, out);
    } else if (tree.isNumber()) {
      out.writeNumber(tree.doubleValue());
    } else if (tree.isBoolean()) {
      out.writeBoolean(tree.booleanValue());
    } else if (tree instanceof POJONode own) {
      own.serialize(out, null);
    } else {
      out.writeNull();
    }
  }

  private static void writeInteger(JsonNode number, JsonGenerator out) throws IOException {
    if (number.canConvertToLong()) {
      out.writeNumber(number.longValue());
    } else {
      out.writeNumber(number.bigIntegerValue());
    }
  }
}
