package io.github.urae.flux;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.InvalidRequestException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.JsonTrees;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;

/**
 * A JSON object from outside, read key by key. A value of another type and, in the end, a key that
 * nobody asked for are refused by name. A key that is absent is no value; a JSON {@code null} is a
 * value of the wrong type.
 */
final class JsonFields {

  /** Longest text that is read, in characters. */
  static final int MAX_LENGTH = 1 << 28;

  private static final JsonTrees JSON =
      new JsonTrees(
          BoundedJson.trees(16, MAX_LENGTH).enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION));

  private final ObjectNode node;
  private final String path;
  private final Set<String> read = new HashSet<>();

  private JsonFields(JsonNode node, String path) {
    if (!node.isObject()) {
      String message = ": expected a JSON object, found " + shown(node);
      throw path.isEmpty()
          ? new InvalidRequestException("request" + message)
          : InvalidRequestException.of(path, path + message);
    }
    this.node = (ObjectNode) node;
    this.path = path;
  }

  static JsonFields parse(String text) {
    if (text.length() > MAX_LENGTH) {
      throw new InvalidRequestException(
          "request: expected at most "
              + MAX_LENGTH
              + " characters of JSON, found "
              + text.length());
    }
    try {
      return new JsonFields(JSON.readWhole(text), "");
    } catch (JsonProcessingException e) {
      throw new InvalidRequestException("request: not valid JSON: " + e.getOriginalMessage(), e);
    }
  }

  /** Returns how messages name a key; or, without one, the object. */
  String name(String key) {
    return path.isEmpty() || key.isEmpty() ? path + key : path + "." + key;
  }

  boolean has(String key) {
    return node.has(key);
  }

  private Optional<JsonNode> find(String key) {
    read.add(key);
    return Optional.ofNullable(node.get(key));
  }

  private JsonNode required(String key) {
    return find(key)
        .orElseThrow(() -> InvalidRequestException.of(name(key), name(key) + ": missing"));
  }

  InvalidRequestException wrong(String key, String expected) {
    return InvalidRequestException.of(
        name(key), name(key) + ": expected " + expected + ", found " + shown(node.get(key)));
  }

  private static String shown(JsonNode found) {
    String text = found.toString();
    return text.length() <= 60 ? text : text.substring(0, 60) + "...";
  }

  JsonFields object(String key) {
    return new JsonFields(required(key), name(key));
  }

  <T> Optional<T> object(String key, Function<JsonFields, T> reader) {
    return has(key) ? Optional.of(reader.apply(object(key))) : Optional.empty();
  }

  String text(String key) {
    JsonNode value = required(key);
    if (!value.isTextual()) {
      throw wrong(key, "a string");
    }
    return value.textValue();
  }

  byte[] bytes(String key) {
    try {
      return Base64.getDecoder().decode(text(key));
    } catch (IllegalArgumentException e) {
      throw InvalidRequestException.of(
          name(key), name(key) + ": expected base 64, found something else: " + e.getMessage(), e);
    }
  }

  int integer(String key) {
    JsonNode value = required(key);
    if (!value.isInt()) {
      throw wrong(key, "an integer below 2^31");
    }
    return value.intValue();
  }

  OptionalInt optionalInteger(String key) {
    return has(key) ? OptionalInt.of(integer(key)) : OptionalInt.empty();
  }

  long longInteger(String key) {
    JsonNode value = required(key);
    if (!value.isInt() && !value.isLong()) {
      throw wrong(key, "an integer below 2^63");
    }
    return value.longValue();
  }

  OptionalLong optionalLongInteger(String key) {
    return has(key) ? OptionalLong.of(longInteger(key)) : OptionalLong.empty();
  }

  double number(String key) {
    JsonNode value = required(key);
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw wrong(key, "a finite number");
    }
    return value.doubleValue();
  }

  OptionalDouble optionalNumber(String key) {
    return has(key) ? OptionalDouble.of(number(key)) : OptionalDouble.empty();
  }

  boolean flag(String key) {
    JsonNode value = required(key);
    if (!value.isBoolean()) {
      throw wrong(key, "true or false");
    }
    return value.booleanValue();
  }

  <E extends Enum<E>> E choice(String key, Class<E> type) {
    String value = text(key);
    for (E constant : type.getEnumConstants()) {
      if (constant.name().toLowerCase(Locale.ROOT).equals(value)) {
        return constant;
      }
    }
    throw unknown(key, List.of(type.getEnumConstants()).toString().toLowerCase(Locale.ROOT));
  }

  <E extends Enum<E>> Optional<E> optionalChoice(String key, Class<E> type) {
    return has(key) ? Optional.of(choice(key, type)) : Optional.empty();
  }

  InvalidRequestException unknown(String key, String known) {
    return wrong(key, "one of " + known);
  }

  List<String> texts(String key) {
    return elements(key, "strings", element -> element.isTextual() ? element.textValue() : null);
  }

  /** Numbers of 64 bits, signed or not. */
  List<Long> seeds(String key) {
    return elements(
        key,
        "whole numbers",
        element -> element.isIntegralNumber() ? Seeds.parse(element.asText()) : null);
  }

  List<JsonFields> objects(String key) {
    List<JsonFields> objects = new ArrayList<>();
    for (JsonNode element : array(key, "objects")) {
      objects.add(new JsonFields(element, name(key) + "[" + objects.size() + "]"));
    }
    return objects;
  }

  long[] dimensions(String key) {
    return elements(
            key,
            "dimensions",
            element -> element.isInt() && element.intValue() > 0 ? element.longValue() : null)
        .stream()
        .mapToLong(Long::longValue)
        .toArray();
  }

  private <T> List<T> elements(String key, String kind, Function<JsonNode, T> reader) {
    List<T> values = new ArrayList<>();
    for (JsonNode element : array(key, kind)) {
      T value = reader.apply(element);
      if (value == null) {
        throw wrong(key, "an array of " + kind);
      }
      values.add(value);
    }
    return values;
  }

  private JsonNode array(String key, String kind) {
    JsonNode value = required(key);
    if (!value.isArray()) {
      throw wrong(key, "an array of " + kind);
    }
    return value;
  }

  /** Refuses what nobody asked for; returns the value that was read. */
  <T> T complete(T value) {
    node.fieldNames()
        .forEachRemaining(
            key -> {
              if (!read.contains(key)) {
                throw InvalidRequestException.of(name(key), name(key) + ": not known");
              }
            });
    return value;
  }
}
