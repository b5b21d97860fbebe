package io.github.urae.fuzz;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Changes values, keys and the shape of a JSON document. Keys that are there twice and numbers that
 * no parser holds are written as they are.
 *
 * @param words keys and texts that mean something to whoever reads the document
 */
record JsonMutation(List<String> words) implements Mutation {

  private static final JsonMapper JSON = new JsonMapper();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  /** A document may be changed in this many places. */
  private static final int MAX_CHANGES = 32;

  private static final int MAX_BYTES = 1 << 21;

  /** Above this many objects and arrays nothing is copied: each copy may double a document. */
  private static final int MAX_COPIED = 256;

  private static final List<String> VALUES =
      List.of(
          "null",
          "true",
          "false",
          "0",
          "-1",
          "1",
          "2147483647",
          "2147483648",
          "-2147483648",
          "9223372036854775807",
          "9223372036854775808",
          "18446744073709551616",
          "0.5",
          "-0.0",
          "1e308",
          "1e309",
          "1e-400",
          "1e2147483647",
          "1e99999999999",
          "NaN",
          "\"\"",
          "\"\\u0000\"",
          "\"\\ud800\"",
          "\"../x\"",
          "\"/dev/zero\"",
          "\"(a+)+$\"",
          "[]",
          "{}",
          "[[]]",
          "[0]",
          "{\"\": 0}");

  @Override
  public byte[] change(byte[] example, Choices choices) {
    try {
      return write(changed(JSON.readTree(example), choices));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes a document, or as much of it as a file may hold. */
  static byte[] write(JsonNode root) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    OutputStream bounded =
        new OutputStream() {
          @Override
          public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
          }

          @Override
          public void write(byte[] part, int offset, int length) throws IOException {
            bytes.write(part, offset, Math.min(length, MAX_BYTES - bytes.size()));
            if (bytes.size() == MAX_BYTES) {
              throw new EOFException();
            }
          }
        };
    try {
      JSON.writeValue(bounded, root);
    } catch (EOFException e) {
      // Cut short.
    }
    return bytes.toByteArray();
  }

  /** Changes a document, as long as there are choices, and returns it. */
  JsonNode changed(JsonNode root, Choices choices) {
    for (int i = 0; i < MAX_CHANGES && choices.hasNext(); i++) {
      List<ContainerNode<?>> containers = new ArrayList<>();
      collect(root, containers);
      if (containers.isEmpty()) {
        return value(choices);
      }
      ContainerNode<?> container = choices.of(containers);
      if (container instanceof ObjectNode object) {
        changeObject(object, containers, choices);
      } else {
        changeArray((ArrayNode) container, containers, choices);
      }
    }
    return root;
  }

  private static void collect(JsonNode node, List<ContainerNode<?>> containers) {
    if (node instanceof ContainerNode<?> container) {
      containers.add(container);
      container.forEach(inside -> collect(inside, containers));
    }
  }

  private void changeObject(ObjectNode object, List<ContainerNode<?>> containers, Choices choices) {
    List<String> keys = new ArrayList<>();
    object.fieldNames().forEachRemaining(keys::add);
    String key = keys.isEmpty() ? word(choices) : choices.of(keys);
    switch (choices.below(8)) {
      case 0 -> object.remove(key);
      case 1 -> object.set(word(choices), value(choices));
      case 2 -> object.set(renamed(key, choices), object.get(key));
      case 3 -> object.set(word(choices), copy(containers, choices));
      case 4 -> object.set(key, raw(value(choices) + ",\"" + key + "\":" + value(choices)));
      case 5 -> object.set(key, nudged(object.get(key), choices));
      default -> object.set(key, value(choices));
    }
  }

  private void changeArray(ArrayNode array, List<ContainerNode<?>> containers, Choices choices) {
    int index = choices.below(array.size() + 1);
    switch (choices.below(6)) {
      case 0 -> array.remove(index);
      case 1 -> array.insert(index, value(choices));
      case 2 -> array.insert(index, copy(containers, choices));
      case 3 -> {
        int times = containers.size() > MAX_COPIED ? 1 : choices.below(1000);
        for (int i = 0; i < times && index < array.size(); i++) {
          array.insert(index, array.get(index));
        }
      }
      default -> {
        if (index < array.size()) {
          array.set(index, choices.oneIn(2) ? value(choices) : nudged(array.get(index), choices));
        }
      }
    }
  }

  private JsonNode copy(List<ContainerNode<?>> containers, Choices choices) {
    return containers.size() > MAX_COPIED ? value(choices) : choices.of(containers).deepCopy();
  }

  /** A value near the one that is there. */
  private JsonNode nudged(JsonNode node, Choices choices) {
    if (node == null) {
      return value(choices);
    }
    if (node.isIntegralNumber()) {
      return NODES.numberNode(node.longValue() + choices.edge());
    }
    return node.isTextual() ? NODES.textNode(renamed(node.textValue(), choices)) : value(choices);
  }

  /** A part of a text goes, or becomes another one. */
  private String renamed(String text, Choices choices) {
    int start = choices.below(text.length() + 1);
    int end = Math.min(text.length(), start + choices.below(16));
    String by = choices.oneIn(2) ? word(choices) : "";
    return text.substring(0, start) + by + text.substring(end);
  }

  private String word(Choices choices) {
    return words.isEmpty() || choices.oneIn(8) ? choices.text() : choices.of(words);
  }

  private JsonNode value(Choices choices) {
    return switch (choices.below(8)) {
      case 0 -> NODES.numberNode(choices.edge());
      case 1 -> NODES.textNode(word(choices));
      case 2 -> bulky(choices);
      default -> raw(choices.of(VALUES));
    };
  }

  /** What is deep or long. */
  private static JsonNode bulky(Choices choices) {
    int size = choices.of(List.of(10, 100, 1000, 20_000, 1_000_000));
    return switch (choices.below(5)) {
      case 0 -> raw("[".repeat(size) + "]".repeat(size));
      case 1 -> raw("{\"a\":".repeat(size) + "0" + "}".repeat(size));
      case 2 -> raw("1" + "0".repeat(size));
      case 3 -> raw("0." + "1".repeat(size) + "e" + size);
      default -> NODES.textNode("a".repeat(size));
    };
  }

  private static JsonNode raw(String json) {
    return NODES.rawValueNode(new RawValue(json));
  }
}
