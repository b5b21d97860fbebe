package io.github.urae.onnx.internal.tokenizer;

import io.github.urae.internal.JsonConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What is needed of a {@code tokenizer_config.json}.
 *
 * @param maxLength {@code model_max_length}; {@code Integer.MAX_VALUE} where the file or the key is
 *     missing
 * @param padToken text of the padding token; empty where it is missing or not plain text
 */
record TokenizerConfig(int maxLength, Optional<String> padToken) {

  static TokenizerConfig read(Path folder) throws IOException {
    Path file = folder.resolve("tokenizer_config.json");
    if (!Files.exists(file)) {
      return new TokenizerConfig(Integer.MAX_VALUE, Optional.empty());
    }
    JsonConfig config = JsonConfig.read(file);
    long length = config.integer("model_max_length").orElse(Long.MAX_VALUE);
    if (length < 1) {
      throw config.unsupported("model_max_length", "a positive integer");
    }
    return new TokenizerConfig((int) Math.min(length, Integer.MAX_VALUE), config.text("pad_token"));
  }
}
