package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Trees are what Jackson's own mapper makes of the same text, and texts what it makes of trees. */
class JsonTreesTest {

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final JsonMapper REFERENCE = new JsonMapper();
  private static final JsonTrees TREES = new JsonTrees(BoundedJson.trees());

  private final long seed = System.nanoTime();
  private final Random random = new Random(seed);

  @Test
  void asJacksonsMapper() throws IOException {
    for (int i = 0; i < 500; i++) {
      JsonNode tree = tree(4);
      String text = REFERENCE.writeValueAsString(tree);
      String from = "seed " + seed + ", tree " + i;
      assertThat(JsonTrees.text(tree)).as(from).isEqualTo(text);
      assertThat(TREES.read(text)).as(from).isEqualTo(REFERENCE.readTree(text));
      assertThat(TREES.readWhole(tree.toPrettyString() + "\n"))
          .as(from)
          .isEqualTo(REFERENCE.readTree(text));
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      assertThat(TREES.read(utf8)).as(from).isEqualTo(REFERENCE.readTree(utf8));
      for (int length = 0; length < utf8.length; length += 1 + random.nextInt(9)) {
        byte[] cut = Arrays.copyOf(utf8, length);
        assertThat(outcome(() -> TREES.read(cut)))
            .as(from + " cut to " + length)
            .isEqualTo(outcome(() -> REFERENCE.readTree(cut)));
      }
    }
  }

  private interface Reading {
    JsonNode tree() throws IOException;
  }

  private static Object outcome(Reading reading) throws IOException {
    try {
      return reading.tree();
    } catch (JsonProcessingException e) {
      return e.getOriginalMessage();
    }
  }

  private JsonNode tree(int depth) {
    return switch (random.nextInt(depth > 0 ? 12 : 9)) {
      case 0 -> NODES.nullNode();
      case 1 -> NODES.booleanNode(random.nextBoolean());
      case 2 -> NODES.numberNode(random.nextInt());
      case 3 -> NODES.numberNode(random.nextLong());
      case 4 -> NODES.numberNode(new BigInteger(90, random));
      case 5 -> NODES.numberNode(Double.longBitsToDouble(random.nextLong() & ~(1L << 62)));
      case 6, 7, 8 -> NODES.textNode(text());
      case 9 -> array(depth);
      default -> object(depth);
    };
  }

  private ArrayNode array(int depth) {
    ArrayNode array = NODES.arrayNode();
    for (int i = random.nextInt(5); i > 0; i--) {
      array.add(tree(depth - 1));
    }
    return array;
  }

  private ObjectNode object(int depth) {
    ObjectNode object = NODES.objectNode();
    for (int i = random.nextInt(5); i > 0; i--) {
      object.set(text(), tree(depth - 1));
    }
    return object;
  }

  private String text() {
    int[] some = {'a', 'Z', '"', '\\', '/', '\n', 0, 0x1F, 0x7F, 0xE9, 0x2581, 0x1F600, 0xFFFD};
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      text.appendCodePoint(some[random.nextInt(some.length)]);
    }
    return text.toString();
  }

  @Test
  void nothing() throws IOException {
    assertThat(TREES.read("").isMissingNode()).isTrue();
    assertThat(TREES.read(new byte[0]).isMissingNode()).isTrue();
    assertThat(TREES.readWhole(" \n").isMissingNode()).isTrue();
  }

  @Test
  void moreThanOneValue() throws IOException {
    assertThat(TREES.read("1 2").intValue()).isEqualTo(1);
    assertThatThrownBy(() -> TREES.readWhole("{} {}"))
        .isInstanceOf(JsonProcessingException.class)
        .hasMessageContaining("expected nothing after the value");
    assertThatThrownBy(() -> TREES.readWhole("1 x")).isInstanceOf(JsonProcessingException.class);
  }

  @Test
  void keysThatAreThereTwice() throws IOException {
    assertThat(JsonTrees.text(TREES.read("{\"a\":1,\"b\":2,\"a\":{\"c\":3}}")))
        .isEqualTo("{\"a\":{\"c\":3},\"b\":2}");
    JsonTrees strict =
        new JsonTrees(BoundedJson.trees().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION));
    assertThatThrownBy(() -> strict.read("{\"a\":1,\"a\":2}"))
        .isInstanceOf(JsonProcessingException.class)
        .hasMessageContaining("Duplicate field");
  }
}
