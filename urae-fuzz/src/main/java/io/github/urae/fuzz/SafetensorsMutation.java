package io.github.urae.fuzz;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Changes a safetensors file: names, types, shapes, metadata and values. The header's length fits,
 * and offsets and data do for the most part.
 *
 * @param words parts of names that mean something
 */
record SafetensorsMutation(List<String> words) implements Mutation {

  private static final JsonMapper JSON = new JsonMapper();

  /** More data than this is left out, so that the file is cut short. */
  private static final int MAX_DATA = 1 << 20;

  private static final int MAX_CHANGES = 16;

  private static final List<Float> ODD_VALUES =
      List.of(Float.NaN, Float.POSITIVE_INFINITY, Float.MAX_VALUE, Float.MIN_VALUE, -0f, 0f, 1e30f);

  @Override
  public byte[] change(byte[] example, Choices choices) {
    ByteBuffer file = ByteBuffer.wrap(example).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) file.getLong();
    byte[] data = Arrays.copyOfRange(example, Long.BYTES + length, example.length);
    try {
      ObjectNode header = (ObjectNode) JSON.readTree(example, Long.BYTES, length);
      boolean laidOut = !choices.oneIn(16);
      int changes = 1 + choices.below(MAX_CHANGES);
      for (int i = 0; i < changes; i++) {
        change(header, choices);
      }
      if (laidOut) {
        data = layOut(header, data);
      }
      for (int i = choices.below(8); i > 0 && data.length >= Float.BYTES; i--) {
        ByteBuffer.wrap(data)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putFloat(choices.below(data.length - Float.BYTES + 1), choices.of(ODD_VALUES));
      }
      JsonNode written =
          choices.oneIn(2) ? new JsonMutation(words).changed(header, choices) : header;
      byte[] json = JsonMutation.write(written);
      return ByteBuffer.allocate(Long.BYTES + json.length + data.length)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putLong(json.length)
          .put(json)
          .put(data)
          .array();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void change(ObjectNode header, Choices choices) {
    List<String> names = names(header);
    if (names.isEmpty()) {
      return;
    }
    String name = choices.of(names);
    ObjectNode tensor = (ObjectNode) header.get(name);
    switch (choices.below(8)) {
      case 0 -> header.remove(name);
      case 1, 2 -> {
        header.remove(name);
        header.set(renamed(name, choices), tensor);
      }
      case 3 -> header.set(renamed(name, choices), tensor.deepCopy());
      case 4 -> tensor.put("dtype", choices.of(List.of(ElementType.values())).toString());
      case 5 -> {
        ArrayNode shape = tensor.putArray("shape");
        for (int i = choices.below(5); i > 0; i--) {
          shape.add(choices.oneIn(8) ? choices.edge() : choices.below(40));
        }
      }
      case 6 -> {
        List<JsonNode> turned = new ArrayList<>();
        tensor.get("shape").forEach(dimension -> turned.add(0, dimension));
        tensor.putArray("shape").addAll(turned);
      }
      default -> {
        ObjectNode metadata = header.withObjectProperty("__metadata__");
        metadata.put(
            choices.of(words),
            choices.oneIn(2) ? choices.text() : "{\"" + choices.of(words) + "\": 1}");
      }
    }
  }

  private static List<String> names(ObjectNode header) {
    List<String> names = new ArrayList<>();
    header.fieldNames().forEachRemaining(names::add);
    names.remove("__metadata__");
    return names;
  }

  /** One part between dots becomes another, or goes, or gets one before it. */
  private String renamed(String name, Choices choices) {
    List<String> parts = new ArrayList<>(List.of(name.split("(?<=[._])", -1)));
    int index = choices.below(parts.size());
    switch (choices.below(3)) {
      case 0 -> parts.remove(index);
      case 1 -> parts.add(index, choices.of(words));
      default -> parts.set(index, choices.of(words));
    }
    return String.join("", parts);
  }

  /** Gives each tensor a place after the one before it. */
  private static byte[] layOut(ObjectNode header, byte[] data) {
    long end = 0;
    for (String name : names(header)) {
      ObjectNode tensor = (ObjectNode) header.get(name);
      long begin = end;
      Optional<ElementType> type = ElementType.byName(tensor.path("dtype").asText());
      try {
        long elements = 1;
        for (JsonNode dimension : tensor.path("shape")) {
          elements = Math.multiplyExact(elements, dimension.longValue());
        }
        end = Math.addExact(end, type.isEmpty() ? 0 : type.get().byteSize(elements));
      } catch (ArithmeticException | IllegalArgumentException e) {
        end = begin;
      }
      tensor.putArray("data_offsets").add(begin).add(end);
    }
    byte[] laid = new byte[(int) Math.max(0, Math.min(end, MAX_DATA))];
    for (int i = 0; i < laid.length && data.length > 0; i++) {
      laid[i] = data[i % data.length];
    }
    return laid;
  }
}
