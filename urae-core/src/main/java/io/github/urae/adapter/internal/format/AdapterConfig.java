package io.github.urae.adapter.internal.format;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.FileFormatException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.JsonConfig;
import io.github.urae.internal.JsonTrees;
import io.github.urae.internal.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * PEFT's configuration, in a file of its own beside the weights. What it says is part of the
 * adapter.
 *
 * @param file {@code adapter_config.json}
 * @param settings its content, an object
 * @param digest of its bytes
 * @see <a href="https://huggingface.co/docs/peft/developer_guides/checkpoint">PEFT: checkpoint
 *     format</a>
 */
record AdapterConfig(Path file, JsonNode settings, String digest) {

  private static final String NAME = "adapter_config.json";

  /** The name of the weights that belong to it. */
  private static final String WEIGHTS = "adapter_model.safetensors";

  private static final int MAX_BYTES = 1 << 20;

  /** As Python's own reader, whose NaN and Infinity are no JSON. */
  private static final JsonTrees JSON =
      new JsonTrees(BoundedJson.trees().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS));

  /**
   * Reads the configuration of an adapter's file. In a folder of several files it belongs to the
   * one that has PEFT's name.
   *
   * @param adapter the file with the weights
   * @return empty if there is none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it holds no JSON object
   */
  static Optional<AdapterConfig> beside(Path adapter) throws IOException {
    Path file = adapter.resolveSibling(NAME);
    if (!Files.exists(file) || !belongsTo(adapter)) {
      return Optional.empty();
    }
    byte[] content = InputFile.read(file, MAX_BYTES);
    JsonNode settings = JsonConfig.tree(file, content, JSON);
    if (!settings.isObject()) {
      throw new FileFormatException(file + ": expected a JSON object");
    }
    MessageDigest digest = Sha256.start();
    digest.update(content);
    return Optional.of(new AdapterConfig(file, settings, Sha256.name(digest)));
  }

  private static boolean belongsTo(Path adapter) throws IOException {
    Path folder = adapter.toAbsolutePath().getParent();
    if (adapter.getFileName().toString().equals(WEIGHTS) || folder == null) {
      return true;
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.toString().endsWith(".safetensors")).limit(2).count() < 2;
    }
  }
}
