package io.github.urae.adapter.internal.format;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import io.github.urae.AdapterException;
import io.github.urae.weights.SafetensorsFile;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * PEFT's configuration, which diffusers keeps as JSON text in a file's metadata: what alpha is
 * where no tensor says so.
 *
 * @see <a href="https://huggingface.co/docs/peft/package_reference/lora">PEFT: LoraConfig</a>
 */
final class AlphaSettings {

  private static final String METADATA_KEY = "lora_adapter_metadata";

  private static final JsonMapper JSON = new JsonMapper();

  /** diffusers puts the network's name before each setting; older files have none. */
  private static final List<String> PREFIXES =
      List.of("transformer.", "text_encoder_2.", "text_encoder.", "");

  private static final int MAX_PATTERN_LENGTH = 1000;
  private static final int MAX_SHOWN_LENGTH = 100;

  /** Each repetition is a copy of the repeated part. */
  private static final int MAX_REPETITIONS = 1000;

  private static final Pattern COUNTED = Pattern.compile("\\{(\\d+)(?:,(\\d+)?)?\\}");

  private final SafetensorsFile file;
  private final JsonNode settings;

  /** Compiled once, not for every module. */
  private final Map<String, Pattern> patterns = new HashMap<>();

  private AlphaSettings(SafetensorsFile file, JsonNode settings) {
    this.file = file;
    this.settings = settings;
  }

  /**
   * Reads the settings of a file.
   *
   * @return empty if it has none
   * @throws AdapterException if they are no JSON
   */
  static Optional<AlphaSettings> of(SafetensorsFile file) {
    String text = file.metadata().get(METADATA_KEY);
    if (text == null) {
      return Optional.empty();
    }
    JsonNode settings;
    try {
      settings = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new AdapterException(
          file.path() + ": metadata '" + METADATA_KEY + "' is no JSON: " + e.getOriginalMessage(),
          e);
    }
    return Optional.of(new AlphaSettings(file, settings));
  }

  /** Returns alpha of a module: a pattern that fits its name, whole or after a dot, comes first. */
  double alpha(String module, long rank) {
    for (Map.Entry<String, JsonNode> pattern : setting(module, "alpha_pattern").properties()) {
      if (patterns.computeIfAbsent(pattern.getKey(), this::compile).matches(module)) {
        return number("alpha_pattern", pattern.getValue());
      }
    }
    JsonNode alpha = setting(module, "lora_alpha");
    return alpha.isMissingNode() || alpha.isNull() ? rank : number("lora_alpha", alpha);
  }

  /**
   * The file is anybody's: RE2's time is linear in pattern and name, and these bound the pattern.
   */
  private Pattern compile(String pattern) {
    String fault = null;
    Exception cause = null;
    if (pattern.length() > MAX_PATTERN_LENGTH) {
      fault = "is longer than " + MAX_PATTERN_LENGTH + " characters";
    } else if (repetitions(pattern) > MAX_REPETITIONS) {
      fault = "repeats more than " + MAX_REPETITIONS + " times";
    } else {
      try {
        return Pattern.compile("(.*\\.)?(" + pattern + ")");
      } catch (PatternSyntaxException e) {
        fault = "is no pattern that RE2 knows";
        cause = e;
      }
    }
    String shown =
        pattern.length() > MAX_SHOWN_LENGTH
            ? pattern.substring(0, MAX_SHOWN_LENGTH) + "..."
            : pattern;
    throw new AdapterException(
        file.path() + ": metadata '" + METADATA_KEY + "': alpha_pattern '" + shown + "' " + fault,
        cause);
  }

  /** Bounds how often counted repetitions copy a part of the pattern, nested ones included. */
  private static double repetitions(String pattern) {
    Matcher counted = COUNTED.matcher(pattern);
    double product = 1;
    while (counted.find()) {
      String most = counted.group(2) == null ? counted.group(1) : counted.group(2);
      product *= Math.max(1, Double.parseDouble(most));
    }
    return product;
  }

  /** Tells whether the scale is alpha over the root of the rank (rsLoRA). */
  boolean isRankStabilised(String module) {
    return setting(module, "use_rslora").asBoolean();
  }

  /** Tells whether they are those of a DoRA adapter. */
  boolean isDora() {
    return PREFIXES.stream().anyMatch(prefix -> settings.path(prefix + "use_dora").asBoolean());
  }

  private JsonNode setting(String module, String name) {
    String network =
        PREFIXES.stream()
            .filter(module::startsWith)
            .findFirst()
            .filter(p -> !p.isEmpty())
            .orElse(PREFIXES.get(0));
    JsonNode prefixed = settings.path(network + name);
    return prefixed.isMissingNode() ? settings.path(name) : prefixed;
  }

  private double number(String name, JsonNode value) {
    if (!value.isNumber()) {
      throw new AdapterException(
          file.path()
              + ": metadata '"
              + METADATA_KEY
              + "': "
              + name
              + ": expected a number, found "
              + value);
    }
    return value.doubleValue();
  }
}
