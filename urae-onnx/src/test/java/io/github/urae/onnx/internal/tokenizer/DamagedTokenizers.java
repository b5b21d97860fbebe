package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;

/**
 * Damages tokenizers at random and encodes with those that are not refused, in a process of its
 * own: the native library ends the process on what it does not expect.
 *
 * <p>Arguments: a folder to work in, a seed, how many.
 */
public final class DamagedTokenizers {

  private static final JsonMapper JSON = new JsonMapper();
  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private static final List<String> PROMPTS =
      List.of(
          "",
          " ",
          "a red circle on a blue background, by the sea",
          "Ünïcödé ﬁ ㎏ ﷺ Ⅷ e\u0301 \u0000\u0007\u200b ▁▁ 🙂👩‍👩‍👧 漢字 한국어 \uD800 x \uDC00",
          "<|startoftext|> <|endoftext|></s><pad><unk> <extra_id_0>",
          "y".repeat(3000),
          "\n\n\t  lots   of \u00a0 space \u3000 ".repeat(20));

  private static final List<String> TYPES =
      List.of(
          "Sequence",
          "Precompiled",
          "Replace",
          "Strip",
          "NFC",
          "NFKD",
          "Nmt",
          "Lowercase",
          "Prepend",
          "Metaspace",
          "WhitespaceSplit",
          "Whitespace",
          "Digits",
          "Split",
          "ByteLevel",
          "Unigram",
          "BPE",
          "WordPiece",
          "BertNormalizer",
          "Punctuation",
          "TemplateProcessing",
          "x");

  private final Random random;

  private DamagedTokenizers(long seed) {
    random = new Random(seed);
  }

  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    int count = Integer.parseInt(arguments[2]);
    DamagedTokenizers damaged = new DamagedTokenizers(Long.parseLong(arguments[1]));
    Path checkpoint = TestData.checkpoint();
    byte[] t5 = Files.readAllBytes(checkpoint.resolve("tokenizer_2/tokenizer.json"));
    byte[] clip = clipJson(checkpoint.resolve("tokenizer"), true);
    int encoded = 0;
    for (int i = 0; i < count; i++) {
      boolean isT5 = damaged.random.nextInt(3) > 0;
      byte[] content = damaged.damage(isT5 ? t5 : clip);
      // Left behind where the process ends.
      Files.write(folder.resolve("tokenizer.json"), content);
      encoded += tries(folder, isT5) ? 1 : 0;
    }
    System.out.println(encoded + " of " + count + " were good enough to encode with");
  }

  /** Returns CLIP's tokenizer in one file, with merges as older or newer programs write them. */
  static byte[] clipJson(Path folder, boolean inPairs) throws IOException {
    ObjectNode root = NODES.objectNode();
    root.put("version", "1.0");
    root.set("truncation", NODES.nullNode());
    ArrayNode added = root.putArray("added_tokens");
    ObjectNode model = root.putObject("model");
    model.put("type", "BPE");
    JsonNode vocabulary = JSON.readTree(folder.resolve("vocab.json").toFile());
    for (String token : List.of("<|startoftext|>", "<|endoftext|>")) {
      added.addObject().put("content", token).put("special", true).set("id", vocabulary.get(token));
    }
    model.set("vocab", vocabulary);
    ArrayNode merges = model.putArray("merges");
    List<String> lines = Files.readAllLines(folder.resolve("merges.txt"));
    for (String line : lines.subList(1, lines.size())) {
      if (inPairs) {
        ArrayNode pair = merges.addArray();
        for (String part : line.split(" ", -1)) {
          pair.add(part);
        }
      } else {
        merges.add(line);
      }
    }
    return JSON.writeValueAsBytes(root);
  }

  private static boolean tries(Path folder, boolean isT5) throws IOException {
    try (Tokenizer tokenizer = isT5 ? T5Tokenizer.open(folder, 1, 0) : ClipTokenizer.open(folder)) {
      for (String prompt : PROMPTS) {
        tokenizer.encode(prompt, 77);
        tokenizer.lost(prompt, 5);
      }
      return true;
    } catch (FileFormatException | ModelException e) {
      if (!e.getMessage().contains(folder.toString())) {
        throw e;
      }
      return false;
    }
  }

  private byte[] damage(byte[] content) throws IOException {
    return switch (random.nextInt(8)) {
      case 0 -> bytes(content.clone());
      case 1 -> Arrays.copyOf(content, random.nextInt(content.length));
      case 2, 3 -> map(content);
      default -> {
        JsonNode tree = JSON.readTree(content);
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
          structure(tree);
        }
        yield JSON.writeValueAsBytes(tree);
      }
    };
  }

  private byte[] bytes(byte[] content) {
    for (int i = 1 + random.nextInt(4); i > 0; i--) {
      content[random.nextInt(content.length)] = (byte) random.nextInt(256);
    }
    return content;
  }

  /** Damages the map of characters inside, if there is one. */
  private byte[] map(byte[] content) throws IOException {
    JsonNode tree = JSON.readTree(content);
    JsonNode owner = tree.findParent("precompiled_charsmap");
    if (owner == null) {
      return bytes(content.clone());
    }
    byte[] map = Base64.getDecoder().decode(owner.get("precompiled_charsmap").textValue());
    int kind = random.nextInt(5);
    if (kind == 0) {
      map = Arrays.copyOf(map, random.nextInt(map.length));
    }
    for (int i = 1 + random.nextInt(kind == 1 ? 2000 : 20); i > 0 && map.length > 0; i--) {
      // The header and the first units, which every text passes; or anywhere.
      int at = random.nextInt(random.nextBoolean() ? Math.min(1024, map.length) : map.length);
      map[at] = (byte) (kind == 2 ? map[at] ^ 1 << random.nextInt(8) : random.nextInt(256));
    }
    ((ObjectNode) owner).put("precompiled_charsmap", Base64.getEncoder().encodeToString(map));
    return JSON.writeValueAsBytes(tree);
  }

  private void structure(JsonNode root) {
    List<JsonNode> parents = new ArrayList<>();
    JsonNode at = root;
    while (at.isContainerNode() && !at.isEmpty()) {
      parents.add(at);
      at = child(at, random.nextInt(at.size()));
      if (random.nextInt(4) == 0) {
        break;
      }
    }
    JsonNode parent = parents.get(parents.size() - 1);
    int index = random.nextInt(parent.size());
    if (parent instanceof ArrayNode array) {
      switch (random.nextInt(4)) {
        case 0 -> array.remove(index);
        case 1 -> array.add(array.get(random.nextInt(array.size())).deepCopy());
        case 2 -> array.set(index, array.get(random.nextInt(array.size())).deepCopy());
        default -> array.set(index, hostile(root));
      }
    } else if (parent instanceof ObjectNode object) {
      List<String> names = new ArrayList<>();
      object.fieldNames().forEachRemaining(names::add);
      String name = names.get(index);
      switch (random.nextInt(4)) {
        case 0 -> object.remove(name);
        case 1 -> object.set(text(), object.get(name));
        default -> object.set(name, hostile(root));
      }
    }
  }

  private static JsonNode child(JsonNode parent, int index) {
    var elements = parent.elements();
    for (int i = 0; i < index; i++) {
      elements.next();
    }
    return elements.next();
  }

  private JsonNode hostile(JsonNode root) {
    return switch (random.nextInt(14)) {
      case 0 -> NODES.nullNode();
      case 1 -> NODES.numberNode(-1);
      case 2 -> NODES.numberNode(random.nextInt());
      case 3 -> NODES.numberNode(random.nextLong());
      case 4 -> NODES.numberNode(1e308 * (random.nextBoolean() ? 1 : -1));
      case 5 -> NODES.booleanNode(random.nextBoolean());
      case 6 -> NODES.objectNode().put("type", TYPES.get(random.nextInt(TYPES.size())));
      case 7 -> NODES.arrayNode();
      case 8 -> NODES.numberNode(random.nextInt(3000));
      case 9 -> NODES.numberNode(random.nextGaussian());
      case 10 -> root.path(random.nextBoolean() ? "normalizer" : "pre_tokenizer").deepCopy();
      case 11 -> NODES.textNode(TYPES.get(random.nextInt(TYPES.size())));
      default -> NODES.textNode(text());
    };
  }

  private String text() {
    return switch (random.nextInt(8)) {
      case 0 -> "";
      case 1 -> " ";
      case 2 -> "\uD800";
      case 3 -> "\u0000";
      case 4 -> "a".repeat(random.nextInt(5000));
      case 5 -> "▁".repeat(1 + random.nextInt(3));
      case 6 -> "(a*)*b";
      default -> {
        byte[] bytes = new byte[1 + random.nextInt(8)];
        random.nextBytes(bytes);
        yield new String(bytes, StandardCharsets.UTF_8);
      }
    };
  }
}
