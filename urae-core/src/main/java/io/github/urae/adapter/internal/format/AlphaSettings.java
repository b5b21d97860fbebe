package io.github.urae.adapter.internal.format;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.AdapterException;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.JsonTrees;
import io.github.urae.internal.PrintableText;
import io.github.urae.weights.SafetensorsFile;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What alpha is where no tensor says so. Programs keep it in several places: in PEFT's
 * configuration beside the file ({@link AdapterConfig}), in the same as JSON text in the file's
 * metadata, as diffusers has it, or as plain entries of the metadata. Where several say what
 * differs, the adapter is refused: one of them is another's, and the result would be wrong without
 * a sign of it.
 *
 * <p>Not read is {@code ss_network_alpha}: kohya's programs write it beside tensors that say the
 * same, and their converter copies it into files whose matrices are multiplied by it already.
 *
 * @see <a href="https://huggingface.co/docs/peft/package_reference/lora">PEFT: LoraConfig</a>
 * @see <a href="https://github.com/kohya-ss/sd-scripts/blob/main/networks/convert_flux_lora.py">
 *     kohya: {@code convert_flux_lora.py}</a>
 */
final class AlphaSettings {

  private static final String DIFFUSERS_KEY = "lora_adapter_metadata";

  private static final JsonTrees JSON = new JsonTrees(BoundedJson.trees());

  /** diffusers puts the network's name before each setting; others have none. */
  private static final List<String> NETWORKS =
      List.of("transformer.", "text_encoder_2.", "text_encoder.", "");

  /** How the names of modules begin, other than with the network's name itself. */
  private static final Map<String, String> NETWORKS_BY_PREFIX =
      Map.of(
          "lora_te2_", "text_encoder_2.",
          "lora_te3_", "text_encoder_2.",
          "text_encoders.t5xxl.", "text_encoder_2.",
          "lora_te1_", "text_encoder.",
          "lora_te_", "text_encoder.",
          "text_encoders.clip_l.", "text_encoder.");

  private static final String ALPHA = "lora_alpha";
  private static final String PATTERNS = "alpha_pattern";
  private static final String RANK_STABILISED = "use_rslora";
  private static final String DORA = "use_dora";

  /** Names of alpha as a plain entry of the metadata. */
  private static final List<String> PLAIN_NAMES =
      List.of(ALPHA, "network_alpha", "networkalpha", "alpha");

  private static final List<String> PEFT_TYPES = List.of("LORA", "LOHA", "LOKR");

  /**
   * Ways to begin a training that change the weights below: what was trained is a change of those.
   */
  private static final List<String> CHANGED_BASES = List.of("pissa", "olora", "corda", "loftq");

  /**
   * One place where settings are kept.
   *
   * @param name the place, for messages
   * @param settings an object; with or without networks' names before its keys
   */
  private record Source(String name, JsonNode settings) {

    JsonNode of(String network, String setting) {
      JsonNode prefixed = settings.path(network + setting);
      return prefixed.isMissingNode() || prefixed.isNull() ? settings.path(setting) : prefixed;
    }
  }

  private final SafetensorsFile file;
  private final List<Source> sources;
  private final ModulePatterns patterns = new ModulePatterns();

  private AlphaSettings(SafetensorsFile file, List<Source> sources) {
    this.file = file;
    this.sources = sources;
  }

  /**
   * Reads the settings of a file.
   *
   * @param config what lies beside it
   * @return empty if it has none
   * @throws AdapterException if they are damaged, or are those of an adapter of an unsupported kind
   */
  static Optional<AlphaSettings> of(SafetensorsFile file, Optional<AdapterConfig> config) {
    List<Source> sources = new ArrayList<>();
    String text = file.metadata().get(DIFFUSERS_KEY);
    if (text != null) {
      diffusers(file, text).ifPresent(sources::add);
    }
    config.ifPresent(beside -> sources.add(peft(beside)));
    file.metadata().forEach((key, value) -> json(key, value).ifPresent(sources::add));
    // What may mean many things counts only where nothing else says alpha.
    plain(file, sources.isEmpty() ? PLAIN_NAMES : List.of(ALPHA)).ifPresent(sources::add);
    if (sources.isEmpty()) {
      return Optional.empty();
    }
    AlphaSettings settings = new AlphaSettings(file, sources);
    sources.forEach(settings::checkKind);
    return Optional.of(settings);
  }

  // Places

  private static Optional<Source> diffusers(SafetensorsFile file, String text) {
    String name = "metadata '" + DIFFUSERS_KEY + "'";
    try {
      JsonNode settings = JSON.read(text);
      if (settings.isTextual()) {
        settings = JSON.read(settings.textValue());
      }
      return settings.isObject() ? Optional.of(new Source(name, settings)) : Optional.empty();
    } catch (JsonProcessingException e) {
      throw new AdapterException(
          file.path() + ": " + name + " is no JSON: " + e.getOriginalMessage(), e);
    }
  }

  /** The configurations of LoHa and LoKr call alpha by its first name. */
  private static Source peft(AdapterConfig config) {
    ObjectNode settings = config.settings().deepCopy();
    if (!settings.has(ALPHA) && settings.has("alpha")) {
      settings.set(ALPHA, settings.get("alpha"));
    }
    return new Source(config.file().getFileName().toString(), settings);
  }

  /** PEFT's configuration as text, under whatever name a program chose. */
  private static Optional<Source> json(String key, String value) {
    if (key.equals(DIFFUSERS_KEY)
        || !value.stripLeading().startsWith("{")
        || !value.contains('"' + ALPHA + '"')) {
      return Optional.empty();
    }
    try {
      JsonNode settings = JSON.read(value);
      return settings.path(ALPHA).isNumber()
          ? Optional.of(new Source("metadata " + PrintableText.quoted(key), settings))
          : Optional.empty();
    } catch (JsonProcessingException e) {
      return Optional.empty(); // Another program's text that speaks of it.
    }
  }

  private static Optional<Source> plain(SafetensorsFile file, List<String> names) {
    ObjectNode settings = JsonNodeFactory.instance.objectNode();
    Map<String, String> metadata = file.metadata();
    for (String network : NETWORKS) {
      for (String name : names) {
        Optional<Double> alpha = number(metadata.get(network + name));
        if (alpha.isPresent() && !settings.has(network + ALPHA)) {
          settings.put(network + ALPHA, alpha.get());
        }
      }
      String stabilised = metadata.get(network + RANK_STABILISED);
      if (stabilised != null) {
        settings.put(network + RANK_STABILISED, isTrue(stabilised));
      }
      String pattern = metadata.get(network + PATTERNS);
      if (pattern != null) {
        try {
          settings.set(network + PATTERNS, JSON.read(pattern));
        } catch (JsonProcessingException e) {
          throw new AdapterException(
              file.path() + ": metadata '" + network + PATTERNS + "' is no JSON", e);
        }
      }
      String dora = metadata.get(network + DORA);
      if (dora != null) {
        settings.put(network + DORA, isTrue(dora));
      }
    }
    return settings.isEmpty() ? Optional.empty() : Optional.of(new Source("metadata", settings));
  }

  private static boolean isTrue(String text) {
    return text.strip().toLowerCase(Locale.ROOT).equals("true");
  }

  private static Optional<Double> number(String text) {
    if (text == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(Double.parseDouble(text.strip().replace("\"", "")));
    } catch (NumberFormatException e) {
      return Optional.empty(); // "None", or a word of another meaning.
    }
  }

  // What they say

  private void checkKind(Source source) {
    for (String network : NETWORKS) {
      JsonNode type = source.settings().path(network + "peft_type");
      if (type.isTextual() && !PEFT_TYPES.contains(type.textValue().toUpperCase(Locale.ROOT))) {
        throw refused(
            source,
            "this is an adapter of PEFT's kind "
                + PrintableText.quoted(type.textValue())
                + ", which is not supported; supported are LoRA, LoHa and LoKr");
      }
      String start =
          source.settings().path(network + "init_lora_weights").asText("").toLowerCase(Locale.ROOT);
      if (CHANGED_BASES.stream().anyMatch(start::startsWith)) {
        throw refused(
            source,
            "init_lora_weights "
                + PrintableText.quoted(start)
                + ": was trained on weights that its beginning had changed; convert it into a LoRA"
                + " of the checkpoint's own weights with PEFT"
                + " (path_initial_model_for_weight_conversion)");
      }
      if (source.settings().path(network + "layer_replication").size() > 0) {
        throw refused(source, "layer_replication: repeats layers of the model; not supported");
      }
    }
  }

  /**
   * Returns alpha of a module: a pattern that fits its name comes first.
   *
   * @param rank what alpha is where none of the places says it
   * @throws AdapterException if the places say what differs, or no number
   */
  double alpha(String module, long rank) {
    Optional<Double> found = Optional.empty();
    Source first = null;
    for (Source source : sources) {
      Optional<Double> alpha = alpha(source, module);
      if (alpha.isPresent() && found.isPresent() && !alpha.equals(found)) {
        throw refused(
            first,
            "says that alpha of "
                + PrintableText.quoted(module)
                + " is "
                + found.get()
                + ", but "
                + source.name()
                + " that it is "
                + alpha.get()
                + "; take away the one that belongs to another adapter");
      }
      if (found.isEmpty() && alpha.isPresent()) {
        found = alpha;
        first = source;
      }
    }
    return found.orElse((double) rank);
  }

  private Optional<Double> alpha(Source source, String module) {
    String network = networkOf(module);
    JsonNode ofModules = source.of(network, PATTERNS);
    if (!ofModules.isObject() && !ofModules.isMissingNode() && !ofModules.isNull()) {
      throw refused(source, PATTERNS + ": expected an object, found " + shown(ofModules));
    }
    for (Map.Entry<String, JsonNode> pattern : ofModules.properties()) {
      if (matches(source, pattern.getKey(), module)) {
        return Optional.of(number(source, PATTERNS, pattern.getValue()));
      }
    }
    JsonNode alpha = source.of(network, ALPHA);
    return alpha.isMissingNode() || alpha.isNull()
        ? Optional.empty()
        : Optional.of(number(source, ALPHA, alpha));
  }

  private boolean matches(Source source, String pattern, String module) {
    try {
      return patterns.matches(pattern, module);
    } catch (ModulePatterns.PatternFault e) {
      throw new AdapterException(
          file.path()
              + ": "
              + source.name()
              + ": "
              + PATTERNS
              + " "
              + PrintableText.quoted(pattern)
              + " "
              + e.getMessage(),
          e);
    }
  }

  /** Tells whether the scale is alpha over the root of the rank (rsLoRA). */
  boolean isRankStabilised(String module) {
    String network = networkOf(module);
    return sources.stream().anyMatch(source -> source.of(network, RANK_STABILISED).asBoolean());
  }

  /**
   * Returns what PEFT multiplies LoKr's product by where both factors are whole: alpha / rank, as
   * anywhere else. Its configuration has the rank, no tensor does.
   *
   * @return empty if this is no configuration of PEFT's LoKr
   */
  Optional<Double> scaleOfWholeFactors(String module) {
    String network = networkOf(module);
    for (Source source : sources) {
      JsonNode rank = source.of(network, "r");
      Optional<Double> alpha = alpha(source, module);
      if (source.of(network, "peft_type").asText().equalsIgnoreCase("LOKR")
          && rank.isNumber()
          && alpha.isPresent()) {
        return Optional.of(alpha.get() / rank.doubleValue());
      }
    }
    return Optional.empty();
  }

  /** Tells whether they are those of a DoRA adapter. */
  boolean isDora() {
    return sources.stream()
        .anyMatch(
            source ->
                NETWORKS.stream().anyMatch(n -> source.settings().path(n + DORA).asBoolean()));
  }

  private static String networkOf(String module) {
    for (Map.Entry<String, String> prefix : NETWORKS_BY_PREFIX.entrySet()) {
      if (module.startsWith(prefix.getKey())) {
        return prefix.getValue();
      }
    }
    return NETWORKS.stream()
        .filter(network -> !network.isEmpty() && module.startsWith(network))
        .findFirst()
        .orElse(NETWORKS.get(0));
  }

  private double number(Source source, String name, JsonNode value) {
    if (!value.isNumber()) {
      throw refused(source, name + ": expected a number, found " + shown(value));
    }
    return value.doubleValue();
  }

  private static String shown(JsonNode value) {
    return PrintableText.shortened(value.toString());
  }

  private AdapterException refused(Source source, String fault) {
    return new AdapterException(file.path() + ": " + source.name() + ": " + fault);
  }
}
