package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.POJONode;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;

/**
 * What a {@code tokenizer.json} does to a text before its model sees it: the normalizer and the
 * pre-tokenizer, of the kinds that tokenizers of T5 are written with. Everything is copied value by
 * value, so that nothing unknown reaches the native library.
 */
final class TextRules {

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  /** Rules in one file; T5's has three. */
  private static final int MAX_RULES = 16;

  /** How many times longer replacements may make a text. */
  private static final int MAX_GROWTH = 64;

  /** All that occur; others could take any time to match. */
  private static final Set<String> EXPRESSIONS =
      Set.of(" {2,}", " +", "\\s+", "\\s{2,}", "▁{2,}", "▁+", "\\n", "\\t", "\\r");

  private static final Set<String> PLAIN_NORMALIZERS =
      Set.of("NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents");

  private static final Set<String> PREPEND_SCHEMES = Set.of("always", "never", "first");

  private final TokenizerFile file;
  private int rules;
  private long growth = 1;

  private TextRules(TokenizerFile file) {
    this.file = file;
  }

  /** Returns a copy of the normalizer; null where there is none. */
  static JsonNode normalizer(TokenizerFile file) {
    return new TextRules(file)
        .normalizer(file.root().path("normalizer"))
        .<JsonNode>map(n -> n)
        .orElse(NODES.nullNode());
  }

  /** Returns a copy of the pre-tokenizer; null where there is none. */
  static JsonNode preTokenizer(TokenizerFile file) {
    return new TextRules(file)
        .preTokenizer(file.root().path("pre_tokenizer"))
        .<JsonNode>map(n -> n)
        .orElse(NODES.nullNode());
  }

  private Optional<ObjectNode> normalizer(JsonNode node) {
    if (isNothing("normalizer", node)) {
      return Optional.empty();
    }
    String type = node.path("type").asText();
    if (PLAIN_NORMALIZERS.contains(type)) {
      return Optional.of(typed(type));
    }
    return switch (type) {
      case "Sequence" -> {
        ObjectNode sequence = typed(type);
        ArrayNode members = sequence.putArray("normalizers");
        for (JsonNode member : members("normalizer", node.path("normalizers"))) {
          normalizer(member).ifPresent(members::add);
        }
        yield Optional.of(sequence);
      }
      case "Precompiled" -> precompiled(node.path("precompiled_charsmap"));
      case "Replace" -> Optional.of(replacement(node));
      case "Strip" -> {
        ObjectNode strip = typed(type);
        for (String side : new String[] {"strip_left", "strip_right"}) {
          strip.put(side, file.flag("normalizer." + side, node.path(side), true));
        }
        yield Optional.of(strip);
      }
      case "Prepend" ->
          Optional.of(
              typed(type).put("prepend", file.text("normalizer.prepend", node.path("prepend"))));
      default -> throw unknown("normalizer", node.path("type"));
    };
  }

  private Optional<ObjectNode> precompiled(JsonNode map) {
    if (map.isNull() || map.isMissingNode()) {
      return Optional.empty();
    }
    String key = "normalizer.precompiled_charsmap";
    if (!(map instanceof POJONode text)) {
      throw file.damaged(key, "Base64", map);
    }
    byte[] checked;
    try {
      checked = checked((Verbatim) text.getPojo());
    } catch (IllegalArgumentException e) {
      throw file.damaged(key, e.getMessage());
    }
    return checked.length == 0
        ? Optional.empty()
        : Optional.of(
            typed("Precompiled").putPOJO("precompiled_charsmap", Verbatim.quoted(checked)));
  }

  private static byte[] checked(Verbatim map) {
    try {
      return CharacterMap.checked(map.unquoted());
    } catch (IllegalArgumentException e) {
      byte[] unescaped = map.unescaped();
      if (Arrays.equals(unescaped, map.unquoted())) {
        throw e;
      }
      return CharacterMap.checked(unescaped);
    }
  }

  private ObjectNode replacement(JsonNode node) {
    String key = "normalizer.pattern";
    JsonNode pattern = node.path("pattern");
    JsonNode content = node.path("content");
    if (!content.isTextual()) {
      throw file.damaged("normalizer.content", "a text", content);
    }
    String with = content.textValue().isEmpty() ? "" : file.text("normalizer.content", content);
    ObjectNode replace = typed("Replace");
    ObjectNode copied = replace.putObject("pattern");
    int shortest = 1;
    if (pattern.has("Regex")) {
      String expression = pattern.get("Regex").asText();
      if (!EXPRESSIONS.contains(expression)) {
        throw file.damaged(key, "a regular expression of T5's tokenizers, " + EXPRESSIONS, pattern);
      }
      copied.put("Regex", expression);
    } else {
      String text = file.text(key, pattern.path("String"));
      shortest = text.length();
      copied.put("String", text);
    }
    growth *= Math.max(1, (with.length() + shortest - 1) / shortest);
    if (growth > MAX_GROWTH) {
      throw file.damaged("normalizer", "it makes texts more than " + MAX_GROWTH + " times longer");
    }
    return replace.put("content", with);
  }

  private Optional<ObjectNode> preTokenizer(JsonNode node) {
    if (isNothing("pre_tokenizer", node)) {
      return Optional.empty();
    }
    String type = node.path("type").asText();
    return switch (type) {
      case "Sequence" -> {
        ObjectNode sequence = typed(type);
        ArrayNode members = sequence.putArray("pretokenizers");
        for (JsonNode member : members("pre_tokenizer", node.path("pretokenizers"))) {
          preTokenizer(member).ifPresent(members::add);
        }
        yield Optional.of(sequence);
      }
      case "Metaspace" -> Optional.of(metaspace(node));
      case "WhitespaceSplit", "Whitespace" -> Optional.of(typed(type));
      case "Digits" ->
          Optional.of(
              typed(type)
                  .put(
                      "individual_digits",
                      file.flag(
                          "pre_tokenizer.individual_digits",
                          node.path("individual_digits"),
                          false)));
      default -> throw unknown("pre_tokenizer", node.path("type"));
    };
  }

  /** Two generations: {@code add_prefix_space}, and {@code prepend_scheme} with {@code split}. */
  private ObjectNode metaspace(JsonNode node) {
    String replacement = file.text("pre_tokenizer.replacement", node.path("replacement"));
    if (replacement.codePointCount(0, replacement.length()) != 1) {
      throw file.damaged("pre_tokenizer.replacement", "one character", node.path("replacement"));
    }
    boolean prefix =
        file.flag("pre_tokenizer.add_prefix_space", node.path("add_prefix_space"), true);
    String scheme = node.path("prepend_scheme").asText(prefix ? "always" : "never");
    if (!PREPEND_SCHEMES.contains(scheme) || (!prefix && !scheme.equals("never"))) {
      throw file.damaged(
          "pre_tokenizer.prepend_scheme",
          "one of " + PREPEND_SCHEMES + ", as add_prefix_space says",
          node.path("prepend_scheme"));
    }
    return typed("Metaspace")
        .put("replacement", replacement)
        .put("prepend_scheme", scheme)
        .put("split", file.flag("pre_tokenizer.split", node.path("split"), true));
  }

  private boolean isNothing(String key, JsonNode node) {
    if (node.isMissingNode() || node.isNull()) {
      return true;
    }
    rules++;
    if (!node.isObject() || rules > MAX_RULES) {
      throw file.damaged(key, "at most " + MAX_RULES + " objects", node);
    }
    return false;
  }

  private JsonNode members(String key, JsonNode node) {
    if (!node.isArray()) {
      throw file.damaged(key, "an array", node);
    }
    return node;
  }

  private RuntimeException unknown(String key, JsonNode type) {
    return file.damaged(key + ".type", "a kind that T5's tokenizers have", type);
  }

  private static ObjectNode typed(String type) {
    return NODES.objectNode().put("type", type);
  }
}
