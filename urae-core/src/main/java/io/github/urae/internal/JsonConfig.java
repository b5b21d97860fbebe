package io.github.urae.internal;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A JSON object of a checkpoint, read key by key: a missing key, a value of another type or out of
 * range is a {@link ModelException} that names file and key. A JSON {@code null} counts as missing,
 * as in the libraries that write these files.
 */
public final class JsonConfig {

  /** Larger than any configuration, also with thousands of added tokens. */
  private static final int MAX_BYTES = 1 << 24;

  /** As Python's own reader, whose NaN and Infinity are no JSON. */
  private static final JsonTrees JSON =
      new JsonTrees(BoundedJson.trees().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS));

  private final Path file;
  private final JsonNode root;

  /** Makes a tree of JSON. */
  @FunctionalInterface
  public interface Reader {

    /**
     * Reads.
     *
     * @param content in UTF-8
     * @return the tree
     * @throws JsonProcessingException if it is no JSON
     * @throws IOException if it is not UTF-8
     */
    JsonNode read(byte[] content) throws IOException;
  }

  private JsonConfig(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Reads a file.
   *
   * @param file a JSON file that holds one object
   * @return its content
   * @throws IOException if the file is missing or cannot be read
   * @throws FileFormatException if it holds no JSON object
   */
  public static JsonConfig read(Path file) throws IOException {
    JsonNode root = tree(file, InputFile.read(file, MAX_BYTES), JSON);
    if (!root.isObject()) {
      throw new FileFormatException(file + ": expected a JSON object");
    }
    return new JsonConfig(file, root);
  }

  /**
   * Parses the content of a JSON file.
   *
   * @param file where it is from, for messages
   * @param content all of it, in UTF-8, with or without a byte order mark
   * @param reader parses it
   * @return the tree; a missing node if there is nothing
   * @throws FileFormatException if it is no JSON
   */
  public static JsonNode tree(Path file, byte[] content, Reader reader) throws IOException {
    try {
      return reader.read(content);
    } catch (JsonProcessingException e) {
      Optional<String> mistaken = MistakenFile.describe(content);
      if (mistaken.isPresent()) {
        throw new FileFormatException(file + ": expected JSON, found " + mistaken.get(), e);
      }
      JsonLocation at = e.getLocation();
      throw new FileFormatException(
          file
              + ": not valid JSON"
              + (at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr())
              + ": "
              + e.getOriginalMessage(),
          e);
    } catch (CharConversionException e) {
      throw new FileFormatException(file + ": not valid JSON: not UTF-8", e);
    }
  }

  /**
   * Returns the file read.
   *
   * @return its path
   */
  public Path file() {
    return file;
  }

  /**
   * Tells whether a key has a value.
   *
   * @param key name in the object
   * @return false if missing or null
   */
  public boolean has(String key) {
    return root.hasNonNull(key);
  }

  /**
   * Returns a positive integer.
   *
   * @param key name in the object
   * @return its value, 1 to 2^31 - 1
   */
  public int positiveInt(String key) {
    return positive(key, required(key));
  }

  /**
   * Returns a positive integer, or a default.
   *
   * @param key name in the object
   * @param missing what a missing key means
   * @return its value, 1 to 2^31 - 1
   */
  public int positiveInt(String key, int missing) {
    return has(key) ? positive(key, root.get(key)) : missing;
  }

  /**
   * Returns a positive integer that may stand as the first of an array, as sizes of pictures do.
   *
   * @param key name in the object
   * @param missing what a missing key means
   * @return its value, 1 to 2^31 - 1
   */
  public int firstPositiveInt(String key, int missing) {
    JsonNode node = root.path(key);
    return node.isArray() && !node.isEmpty()
        ? positive(key, node.get(0))
        : positiveInt(key, missing);
  }

  /**
   * Returns an object in this one.
   *
   * @param key its name
   * @return its content; messages name the same file
   */
  public JsonConfig object(String key) {
    JsonNode node = required(key);
    if (!node.isObject()) {
      throw expected(key, "an object", node);
    }
    return new JsonConfig(file, node);
  }

  /**
   * Returns the same object without a key.
   *
   * @param key what is to count as missing
   * @return a copy
   */
  public JsonConfig without(String key) {
    ObjectNode copy = root.deepCopy();
    copy.remove(key);
    return new JsonConfig(file, copy);
  }

  /** Some programs write whole numbers as 2.0. */
  private int positive(String key, JsonNode node) {
    if (!node.canConvertToExactIntegral() || !node.canConvertToInt() || node.intValue() < 1) {
      throw expected(key, "a positive integer", node);
    }
    return node.intValue();
  }

  /**
   * Returns an integer if there is one.
   *
   * @param key name in the object
   * @return its value; empty if the key is missing
   */
  public OptionalLong integer(String key) {
    if (!has(key)) {
      return OptionalLong.empty();
    }
    JsonNode node = root.get(key);
    if (!node.canConvertToExactIntegral() || !node.canConvertToLong()) {
      throw expected(key, "an integer", node);
    }
    return OptionalLong.of(node.longValue());
  }

  /**
   * Returns positive integers.
   *
   * @param key name in the object
   * @return its values; empty if the key is missing
   */
  public Optional<List<Integer>> positiveInts(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    JsonNode node = root.get(key);
    if (!node.isArray()) {
      throw expected(key, "an array of positive integers", node);
    }
    List<Integer> values = new ArrayList<>();
    node.forEach(element -> values.add(positive(key, element)));
    return Optional.of(List.copyOf(values));
  }

  /**
   * Returns finite numbers.
   *
   * @param key name in the object
   * @param count how many there must be
   * @return its values
   */
  public List<Double> numbers(String key, int count) {
    return numbers(key, count, required(key));
  }

  /**
   * Returns rows of finite numbers.
   *
   * @param key name in the object
   * @param count how many there must be in each row
   * @return its values
   */
  public List<List<Double>> numberRows(String key, int count) {
    JsonNode node = required(key);
    if (!node.isArray()) {
      throw expected(key, "an array of rows", node);
    }
    List<List<Double>> rows = new ArrayList<>();
    node.forEach(row -> rows.add(numbers(key, count, row)));
    return List.copyOf(rows);
  }

  private List<Double> numbers(String key, int count, JsonNode node) {
    List<Double> values = new ArrayList<>();
    node.forEach(element -> values.add(element.isNumber() ? element.doubleValue() : Double.NaN));
    if (!node.isArray() || node.size() != count || !values.stream().allMatch(Double::isFinite)) {
      throw expected(key, count + " finite numbers", node);
    }
    return List.copyOf(values);
  }

  /**
   * Returns a finite number.
   *
   * @param key name in the object
   * @param missing what a missing key means
   * @return its value
   */
  public double number(String key, double missing) {
    if (!has(key)) {
      return missing;
    }
    JsonNode node = root.get(key);
    if (!node.isNumber() || !Double.isFinite(node.doubleValue())) {
      throw expected(key, "a number", node);
    }
    return node.doubleValue();
  }

  /**
   * Returns a number that may be infinite.
   *
   * @param key name in the object
   * @param missing what a missing key means
   * @return its value, never NaN
   */
  public double unboundedNumber(String key, double missing) {
    if (!has(key)) {
      return missing;
    }
    JsonNode node = root.get(key);
    if (!node.isNumber() || Double.isNaN(node.doubleValue())) {
      throw expected(key, "a number", node);
    }
    return node.doubleValue();
  }

  /**
   * Returns a truth value.
   *
   * @param key name in the object
   * @param missing what a missing key means
   * @return its value
   */
  public boolean flag(String key, boolean missing) {
    if (!has(key)) {
      return missing;
    }
    JsonNode node = root.get(key);
    if (!node.isBoolean()) {
      throw expected(key, "true or false", node);
    }
    return node.booleanValue();
  }

  /**
   * Returns a string if there is one.
   *
   * @param key name in the object
   * @return its value; empty if the key is missing
   */
  public Optional<String> text(String key) {
    if (!has(key)) {
      return Optional.empty();
    }
    JsonNode node = root.get(key);
    if (!node.isTextual()) {
      throw expected(key, "a string", node);
    }
    return Optional.of(node.textValue());
  }

  /**
   * Returns a string, also where it is the {@code content} of an object, as that of a special token
   * may be.
   *
   * @param key name in the object
   * @return its value; empty if the key is missing
   */
  public Optional<String> textOrContent(String key) {
    JsonNode node = root.path(key);
    if (node.isObject() && node.path("content").isTextual()) {
      return Optional.of(node.get("content").textValue());
    }
    return text(key);
  }

  /**
   * Refuses a value that is not among those that are understood.
   *
   * @param key name in the object
   * @param missing what a missing key means
   * @param known the understood values
   * @return the value, one of {@code known}
   */
  public String oneOf(String key, String missing, String... known) {
    String value = text(key).orElse(missing);
    if (!Arrays.asList(known).contains(value)) {
      throw new ModelException(
          file
              + ": '"
              + key
              + "': expected "
              + String.join(" or ", known)
              + ", found '"
              + value
              + "', which is not supported");
    }
    return value;
  }

  /**
   * Creates the exception for a value that does not do.
   *
   * @param key name in the object
   * @param expectation what was expected
   * @return the exception, to be thrown by the caller
   */
  public ModelException unsupported(String key, String expectation) {
    return expected(key, expectation, root.path(key));
  }

  private JsonNode required(String key) {
    if (!has(key)) {
      throw new ModelException(file + ": '" + key + "' is missing");
    }
    return root.get(key);
  }

  private ModelException expected(String key, String expectation, JsonNode found) {
    return new ModelException(
        file
            + ": '"
            + key
            + "': expected "
            + expectation
            + ", found "
            + (found.isMissingNode() ? "nothing" : PrintableText.shortened(found.toString())));
  }
}
