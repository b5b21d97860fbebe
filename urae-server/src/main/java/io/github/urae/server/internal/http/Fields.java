package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.github.urae.internal.PrintableText;
import java.math.BigDecimal;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * The fields of a request, from JSON or from a form, where everything is text. What is null is not
 * there. Fields that nobody asks for are refused in the end. Not thread-safe.
 */
final class Fields {

  private final Map<String, JsonNode> values = new LinkedHashMap<>();
  private final Set<String> known = new HashSet<>();
  private final boolean ofForm;

  private Fields(boolean ofForm) {
    this.ofForm = ofForm;
  }

  static Fields of(ObjectNode object) {
    Fields fields = new Fields(false);
    object
        .properties()
        .forEach(
            field -> {
              if (!field.getValue().isNull()) {
                fields.values.put(field.getKey(), field.getValue());
              }
            });
    return fields;
  }

  /** Takes the parts that are no files. */
  static Fields of(List<Bodies.Part> parts) {
    Fields fields = new Fields(true);
    for (Bodies.Part part : parts) {
      if (part.text().isPresent()
          && fields.values.put(part.name(), new TextNode(part.text().get())) != null) {
        throw ApiException.invalid(
            PrintableText.shortened(part.name()), "expected the field once, found it twice");
      }
    }
    return fields;
  }

  Optional<JsonNode> node(String name) {
    known.add(name);
    return Optional.ofNullable(values.get(name));
  }

  boolean isOfForm() {
    return ofForm;
  }

  Optional<String> text(String name, int maxLength) {
    return node(name)
        .map(
            value -> {
              if (!value.isTextual()) {
                throw wrong(name, "a text", value);
              }
              if (value.textValue().length() > maxLength) {
                throw ApiException.invalid(
                    name,
                    name
                        + ": expected at most "
                        + maxLength
                        + " characters, found "
                        + value.textValue().length());
              }
              return value.textValue();
            });
  }

  OptionalInt integer(String name, int least, int most) {
    Optional<JsonNode> given = node(name);
    if (given.isEmpty()) {
      return OptionalInt.empty();
    }
    String expected = "a whole number of " + least + " to " + most;
    BigDecimal value = number(name, expected, given.get());
    if (value.compareTo(BigDecimal.valueOf(least)) < 0
        || value.compareTo(BigDecimal.valueOf(most)) > 0
        || value.stripTrailingZeros().scale() > 0) {
      throw wrong(name, expected, given.get());
    }
    return OptionalInt.of(value.intValue());
  }

  Optional<Double> number(String name, double least, double most) {
    return node(name)
        .map(
            node -> {
              String expected = "a number of " + least + " to " + most;
              double value = number(name, expected, node).doubleValue();
              if (!(value >= least && value <= most)) {
                throw wrong(name, expected, node);
              }
              return value;
            });
  }

  private BigDecimal number(String name, String expected, JsonNode node) {
    if (node.isNumber()) {
      try {
        return node.decimalValue();
      } catch (NumberFormatException e) {
        // Beyond the range of double, which makes it infinite.
        throw wrong(name, expected, node);
      }
    }
    if (ofForm && node.textValue().length() <= 40) {
      try {
        BigDecimal value = new BigDecimal(node.textValue().strip());
        // Digits that would take long to write out.
        if (Math.abs((long) value.scale()) <= 400) {
          return value;
        }
      } catch (NumberFormatException e) {
        throw wrong(name, expected, node);
      }
    }
    throw wrong(name, expected, node);
  }

  Optional<Boolean> flag(String name) {
    return node(name)
        .map(
            value -> {
              if (value.isBoolean()) {
                return value.booleanValue();
              }
              if (ofForm && Set.of("true", "false").contains(value.textValue())) {
                return Boolean.valueOf(value.textValue());
              }
              throw wrong(name, "true or false", value);
            });
  }

  /** Reads one of several words. */
  Optional<String> choice(String name, Set<String> choices) {
    return text(name, 64)
        .map(
            value -> {
              if (!choices.contains(value)) {
                throw wrong(
                    name, "one of " + choices.stream().sorted().toList(), new TextNode(value));
              }
              return value;
            });
  }

  static ApiException wrong(String name, String expected, JsonNode found) {
    return ApiException.invalid(
        name,
        name + ": expected " + expected + ", found " + PrintableText.shortened(found.toString()));
  }

  /** Refuses fields that nobody has asked for. */
  void complete() {
    for (String name : values.keySet()) {
      if (!known.contains(name)) {
        String shown = PrintableText.shortened(name);
        throw ApiException.of(
            400, "unknown_parameter", shown, "there is no parameter '" + shown + "'");
      }
    }
  }
}
