package io.github.urae.adapter.internal.format;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.urae.AdapterException;
import io.github.urae.weights.SafetensorsFile;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

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

  private final SafetensorsFile file;
  private final JsonNode settings;

  private AlphaSettings(SafetensorsFile file, JsonNode settings) {
    this.file = file;
    this.settings = settings;
  }

  /**
   * Reads the settings of a file.
   *
   * @return empty if it has none
   * @throws AdapterException if they are no JSON, or are those of a DoRA adapter
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
    for (String prefix : PREFIXES) {
      if (settings.path(prefix + "use_dora").asBoolean()) {
        throw new AdapterException(
            file.path()
                + ": metadata '"
                + METADATA_KEY
                + "': this is a DoRA adapter, which is not supported; supported are LoRA and URAE's"
                + " minor components");
      }
    }
    return Optional.of(new AlphaSettings(file, settings));
  }

  /** Returns alpha of a module: a pattern that fits its name, whole or after a dot, comes first. */
  double alpha(String module, long rank) {
    for (Map.Entry<String, JsonNode> pattern : setting(module, "alpha_pattern").properties()) {
      try {
        if (Pattern.matches("(.*\\.)?(" + pattern.getKey() + ")", module)) {
          return number("alpha_pattern", pattern.getValue());
        }
      } catch (PatternSyntaxException e) {
        throw new AdapterException(
            file.path()
                + ": metadata '"
                + METADATA_KEY
                + "': alpha_pattern '"
                + pattern.getKey()
                + "' is no pattern",
            e);
      }
    }
    JsonNode alpha = setting(module, "lora_alpha");
    return alpha.isMissingNode() || alpha.isNull() ? rank : number("lora_alpha", alpha);
  }

  /** Tells whether the scale is alpha over the root of the rank (rsLoRA). */
  boolean isRankStabilised(String module) {
    return setting(module, "use_rslora").asBoolean();
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
