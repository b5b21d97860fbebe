package io.github.urae.training.internal.checkpoint;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonTrees;
import io.github.urae.training.internal.metrics.SigmaBuckets;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * What {@code training.json} says of a checkpoint: all that is needed to go on, beside tensors.
 *
 * @param step updates that are done
 * @param turn pictures that are done, which is the position in the data and the state of the random
 *     numbers at once: every picture's are made of the seed and the number of its turn
 * @param library version of the library that wrote it
 * @param base what is trained on: a fingerprint of the weights, and digests of the adapters on them
 * @param data a fingerprint of the pictures and captions
 * @param settings all that decides what the weights become, by name, as texts
 * @param lastLoss of the last update
 * @param lastHeldOutLoss of the last measurement
 * @param bestHeldOutLoss the least so far
 * @param bestStep updates at that
 * @param smoothed smoothed losses
 */
public record TrainingRecord(
    long step,
    long turn,
    String library,
    List<String> base,
    String data,
    Map<String, String> settings,
    OptionalDouble lastLoss,
    OptionalDouble lastHeldOutLoss,
    OptionalDouble bestHeldOutLoss,
    long bestStep,
    SigmaBuckets smoothed) {

  /** Name of the file. */
  static final String NAME = "training.json";

  private static final String FORMAT = "urae-training";
  private static final int VERSION = 1;
  private static final int MOST_BYTES = 1 << 20;

  private static final JsonTrees READER = new JsonTrees(BoundedJson.trees());

  /** Copies the collections. */
  public TrainingRecord {
    base = List.copyOf(base);
    settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
  }

  void write(Path file) throws IOException {
    ObjectNode tree = JsonNodeFactory.instance.objectNode();
    tree.put("format", FORMAT);
    tree.put("version", VERSION);
    tree.put("library", library);
    tree.put("step", step);
    tree.put("pictures_done", turn);
    ArrayNode bases = tree.putArray("base");
    base.forEach(bases::add);
    tree.put("data", data);
    ObjectNode all = tree.putObject("settings");
    settings.forEach(all::put);
    lastLoss.ifPresent(value -> tree.put("last_loss", value));
    lastHeldOutLoss.ifPresent(value -> tree.put("last_held_out_loss", value));
    bestHeldOutLoss.ifPresent(value -> tree.put("best_held_out_loss", value));
    tree.put("best_step", bestStep);
    putAll(tree.putArray("smoothed_loss_sums"), smoothed.sums());
    putAll(tree.putArray("smoothed_loss_weights"), smoothed.weights());
    try (JsonGenerator out =
        new JsonFactory().createGenerator(new BufferedOutputStream(Files.newOutputStream(file)))) {
      out.setPrettyPrinter(
          new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n")));
      JsonTrees.write(tree, out);
    }
  }

  private static void putAll(ArrayNode array, double[] values) {
    for (double value : values) {
      array.add(value);
    }
  }

  /** Reads a file; what is missing or of another type is told by its key. */
  static TrainingRecord read(Path file) throws IOException {
    JsonNode tree;
    try {
      tree = READER.read(InputFile.read(file, MOST_BYTES));
    } catch (JsonProcessingException e) {
      throw new FileFormatException(file + ": not valid JSON: " + e.getOriginalMessage(), e);
    }
    if (!tree.path("format").asText().equals(FORMAT)) {
      throw new FileFormatException(
          file + ": 'format': expected '" + FORMAT + "': this is no checkpoint of a training");
    }
    if (tree.path("version").asInt() != VERSION) {
      throw new FileFormatException(
          file
              + ": 'version': expected "
              + VERSION
              + ", found "
              + tree.path("version")
              + "; continue with the version of this library that wrote it, "
              + tree.path("library").asText("which is not told"));
    }
    Map<String, String> settings = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> entry : object(file, tree, "settings").properties()) {
      settings.put(entry.getKey(), entry.getValue().asText());
    }
    List<String> base = new ArrayList<>();
    array(file, tree, "base").forEach(entry -> base.add(entry.asText()));
    return new TrainingRecord(
        count(file, tree, "step"),
        count(file, tree, "pictures_done"),
        text(file, tree, "library"),
        base,
        text(file, tree, "data"),
        settings,
        number(tree, "last_loss"),
        number(tree, "last_held_out_loss"),
        number(tree, "best_held_out_loss"),
        count(file, tree, "best_step"),
        new SigmaBuckets(
            means(file, tree, "smoothed_loss_sums"), means(file, tree, "smoothed_loss_weights")));
  }

  private static FileFormatException wrong(Path file, String key, String expected) {
    return new FileFormatException(file + ": '" + key + "': expected " + expected);
  }

  private static JsonNode object(Path file, JsonNode tree, String key) {
    if (!tree.path(key).isObject()) {
      throw wrong(file, key, "an object");
    }
    return tree.path(key);
  }

  private static JsonNode array(Path file, JsonNode tree, String key) {
    if (!tree.path(key).isArray()) {
      throw wrong(file, key, "an array");
    }
    return tree.path(key);
  }

  private static String text(Path file, JsonNode tree, String key) {
    if (!tree.path(key).isTextual()) {
      throw wrong(file, key, "a text");
    }
    return tree.path(key).textValue();
  }

  private static long count(Path file, JsonNode tree, String key) {
    JsonNode value = tree.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw wrong(file, key, "a number of at least 0");
    }
    return value.longValue();
  }

  private static OptionalDouble number(JsonNode tree, String key) {
    JsonNode value = tree.path(key);
    return value.isNumber() ? OptionalDouble.of(value.doubleValue()) : OptionalDouble.empty();
  }

  private static double[] means(Path file, JsonNode tree, String key) {
    JsonNode values = array(file, tree, key);
    if (values.size() != SigmaBuckets.COUNT + 1) {
      throw wrong(file, key, SigmaBuckets.COUNT + 1 + " numbers");
    }
    double[] means = new double[values.size()];
    for (int i = 0; i < means.length; i++) {
      if (!values.get(i).isNumber()) {
        throw wrong(file, key, "numbers");
      }
      means[i] = values.get(i).doubleValue();
    }
    return means;
  }
}
