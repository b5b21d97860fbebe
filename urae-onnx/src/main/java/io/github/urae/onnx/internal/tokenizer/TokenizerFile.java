package io.github.urae.onnx.internal.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonConfig;
import io.github.urae.internal.JsonTrees;
import io.github.urae.internal.PrintableText;
import java.io.IOException;
import java.nio.file.Path;

/**
 * A JSON file of a tokenizer, whose values are checked before anything native sees them: the native
 * library ends the process on many that it does not expect.
 */
final class TokenizerFile {

  /** Several times the largest that there are. */
  private static final int MAX_BYTES = 1 << 26;

  private static final int MAX_TEXT_LENGTH = 1024;
  private static final int MAX_ADDED_TOKENS = 100_000;

  private static final JsonTrees JSON = new JsonTrees(BoundedJson.trees());

  private final Path file;
  private final JsonNode root;

  private TokenizerFile(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Reads a file.
   *
   * @throws IOException if it is missing or cannot be read
   * @throws FileFormatException if it holds no JSON object
   */
  static TokenizerFile read(Path file) throws IOException {
    return read(file, JSON);
  }

  /**
   * Reads a file in a way of its own.
   *
   * @param file the file
   * @param reader makes a tree of it
   * @throws IOException if it is missing or cannot be read
   * @throws FileFormatException if it holds no JSON object
   */
  static TokenizerFile read(Path file, JsonConfig.Reader reader) throws IOException {
    return of(file, InputFile.read(file, MAX_BYTES), reader);
  }

  /**
   * Reads what a file says in the words of such a file.
   *
   * @param file where it is from, for messages
   * @param content in UTF-8
   * @param reader makes a tree of it
   * @throws FileFormatException if it is no JSON object
   */
  static TokenizerFile of(Path file, byte[] content, JsonConfig.Reader reader) throws IOException {
    JsonNode root = JsonConfig.tree(file, content, reader);
    if (!root.isObject()) {
      throw new FileFormatException(file + ": expected a JSON object");
    }
    return new TokenizerFile(file, root);
  }

  Path path() {
    return file;
  }

  JsonNode root() {
    return root;
  }

  /** Returns the part that knows the pieces, which must be of a kind. */
  JsonNode model(String kind, String network) {
    JsonNode model = root.path("model");
    if (!model.isObject()) {
      throw damaged("model", "an object", model);
    }
    // Older files leave the kind out.
    String found = model.path("type").asText(kind);
    if (!found.equals(kind)) {
      throw damaged("model.type", "'" + kind + "', as " + network + " has", model.path("type"));
    }
    return model;
  }

  /** Returns text that can be handed on: not empty, not endless, of whole characters. */
  String text(String key, JsonNode node) {
    if (!node.isTextual() || !isWhole(node.textValue())) {
      throw damaged(key, "a text of 1 to " + MAX_TEXT_LENGTH + " characters", node);
    }
    return node.textValue();
  }

  /** Tells whether text is not empty, not endless, and of whole characters. */
  static boolean isWhole(String text) {
    if (text.isEmpty() || text.length() > MAX_TEXT_LENGTH) {
      return false;
    }
    // Plain loops: there are tens of thousands, each time a pipeline opens.
    for (int i = 0; i < text.length(); i++) {
      char character = text.charAt(i);
      if (Character.isSurrogate(character)) {
        boolean pair =
            Character.isHighSurrogate(character)
                && i + 1 < text.length()
                && Character.isLowSurrogate(text.charAt(i + 1));
        if (!pair) {
          return false;
        }
        i++;
      }
    }
    return true;
  }

  /** Returns a truth value. */
  boolean flag(String key, JsonNode node, boolean missing) {
    if (node.isMissingNode() || node.isNull()) {
      return missing;
    }
    if (!node.isBoolean()) {
      throw damaged(key, "true or false", node);
    }
    return node.booleanValue();
  }

  /** Returns the id of a token, of any number of tokens. */
  int id(String key, JsonNode node) {
    return id(key, node, Integer.MAX_VALUE);
  }

  /** Returns the id of a token. */
  int id(String key, JsonNode node, int tokens) {
    if (!node.canConvertToExactIntegral() || !node.canConvertToInt()) {
      throw damaged(key, "an id of a token", node);
    }
    int id = node.intValue();
    if (id < 0 || id >= tokens) {
      throw damaged(key, "an id of the " + tokens + " tokens, from 0", node);
    }
    return id;
  }

  /** Returns {@code added_tokens}, with everything that the native library asks for. */
  ArrayNode addedTokens() {
    ArrayNode checked = JsonNodeFactory.instance.arrayNode();
    JsonNode tokens = root.path("added_tokens");
    if (tokens.isMissingNode() || tokens.isNull()) {
      return checked;
    }
    if (!tokens.isArray() || tokens.size() > MAX_ADDED_TOKENS) {
      throw damaged("added_tokens", "an array of at most " + MAX_ADDED_TOKENS, tokens);
    }
    for (JsonNode token : tokens) {
      if (!token.isObject()) {
        throw damaged("added_tokens", "objects", token);
      }
      int id = id("added_tokens.id", token.path("id"));
      String content = text("added_tokens.content", token.path("content"));
      boolean special = flag("added_tokens.special", token.path("special"), false);
      ObjectNode added = checked.addObject();
      added.put("id", id);
      added.put("content", content);
      for (String key : new String[] {"single_word", "lstrip", "rstrip"}) {
        added.put(key, flag("added_tokens." + key, token.path(key), false));
      }
      added.put("normalized", flag("added_tokens.normalized", token.path("normalized"), !special));
      added.put("special", special);
    }
    return checked;
  }

  /** Creates the exception for a value that does not do. */
  FileFormatException damaged(String key, String expectation, JsonNode found) {
    return damaged(
        key,
        "expected "
            + expectation
            + ", found "
            + (found.isMissingNode() ? "nothing" : PrintableText.shortened(found.toString())));
  }

  /** Creates the exception for a value that does not do. */
  FileFormatException damaged(String key, String problem) {
    return damaged(file, key, problem);
  }

  /** Creates the exception for a value of a file that does not do. */
  static FileFormatException damaged(Path file, String key, String problem) {
    return new FileFormatException(
        file
            + ": '"
            + key
            + "': "
            + problem
            + "; the file is damaged or of another kind of tokenizer: download it again");
  }
}
