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
 * @param padToken text of the padding token; empty where it is missing
 */
record TokenizerConfig(int maxLength, Optional<String> padToken) {

  private static final TokenizerConfig NONE =
      new TokenizerConfig(Integer.MAX_VALUE, Optional.empty());

  /**
   * Reads a folder's configuration.
   *
   * @param otherClass how the class of the other tokenizer begins, whose configuration says nothing
   *     of this one where both share a folder
   */
  static TokenizerConfig read(Path folder, String otherClass) throws IOException {
    Path file = folder.resolve("tokenizer_config.json");
    if (!Files.exists(file)) {
      return new TokenizerConfig(Integer.MAX_VALUE, specialPadToken(folder));
    }
    JsonConfig config = JsonConfig.read(file);
    if (config.text("tokenizer_class").filter(name -> name.startsWith(otherClass)).isPresent()) {
      return NONE;
    }
    // 'No limit' is written as 1e30, as an integer of as many digits, or as infinity.
    double length = config.unboundedNumber("model_max_length", Double.POSITIVE_INFINITY);
    if (!(length >= 1)) {
      throw config.unsupported("model_max_length", "a positive integer");
    }
    return new TokenizerConfig(
        (int) Math.min(length, Integer.MAX_VALUE), config.textOrContent("pad_token"));
  }

  /** Older programs keep special tokens apart. */
  private static Optional<String> specialPadToken(Path folder) throws IOException {
    Path file = folder.resolve("special_tokens_map.json");
    return Files.exists(file) ? JsonConfig.read(file).textOrContent("pad_token") : Optional.empty();
  }
}
