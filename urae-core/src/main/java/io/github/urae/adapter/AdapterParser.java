package io.github.urae.adapter;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.github.urae.AdapterException;
import io.github.urae.safetensors.SafetensorsFile;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Sorts the keys of an adapter file into pairs of matrices, and checks each pair. */
final class AdapterParser {

  private static final JsonMapper JSON = new JsonMapper();

  /** PEFT's configuration, as JSON text, in files written by diffusers. */
  private static final String CONFIGURATION_KEY = "lora_adapter_metadata";

  /** Endings of the keys of A: PEFT, PEFT with an adapter's name, kohya, older diffusers, XLabs. */
  private static final Pattern DOWN =
      Pattern.compile(
          "(.+?)(\\.lora_A(\\.default)?|\\.lora_down|\\.lora\\.down|(?<=_lora[12]?)\\.down)\\.weight");

  private static final Pattern UP =
      Pattern.compile(
          "(.+?)(\\.lora_B(\\.default)?|\\.lora_up|\\.lora\\.up|(?<=_lora[12]?)\\.up)\\.weight");

  private static final Pattern ALPHA = Pattern.compile("(.+)\\.alpha");

  /** URAE's minor components: the processor's own small layers. */
  private static final Pattern MINOR =
      Pattern.compile("(.+\\.attn)\\.processor\\.to_(q|k|v|out)_(a|b)\\.weight");

  /** Kinds of adapters that change weights in another way, by a part of their keys. */
  private static final Map<String, String> UNSUPPORTED =
      new TreeMap<>(
          Map.of(
              "lora_magnitude_vector", "DoRA",
              "dora_scale", "DoRA",
              "lokr_", "LoKr",
              "hada_", "LoHa",
              "oft_", "OFT",
              "boft_", "BOFT",
              "ia3_", "IA3",
              "vera_lambda", "VeRA"));

  private final SafetensorsFile file;
  private final Map<String, String> downKeys = new LinkedHashMap<>();
  private final Map<String, String> upKeys = new LinkedHashMap<>();
  private final Map<String, String> alphaKeys = new LinkedHashMap<>();
  private final List<AdapterModule> modules = new ArrayList<>();
  private final List<String> unknownKeys = new ArrayList<>();
  private boolean minorComponents;

  AdapterParser(SafetensorsFile file) {
    this.file = file;
  }

  List<AdapterModule> modules() {
    return modules;
  }

  List<String> unknownKeys() {
    return unknownKeys;
  }

  void parse() throws IOException {
    for (String key : file.tensors().keySet()) {
      refuseUnsupported(key);
      sort(key);
    }
    if (minorComponents && downKeys.keySet().stream().anyMatch(m -> !isMinor(m))) {
      throw new AdapterException(
          file.path() + ": holds minor components and low-rank updates at once; expected one kind");
    }
    Optional<JsonNode> configuration = configuration();
    for (String module : downKeys.keySet()) {
      modules.add(pair(module, configuration));
    }
    for (String module : upKeys.keySet()) {
      if (!downKeys.containsKey(module)) {
        throw new AdapterException(
            file.path() + ": '" + upKeys.get(module) + "': the other half of the pair is missing");
      }
    }
    alphaKeys.forEach(
        (module, key) -> {
          if (!downKeys.containsKey(module)) {
            unknownKeys.add(key);
          }
        });
    if (modules.isEmpty()) {
      throw new AdapterException(
          file.path()
              + ": holds no adapter: none of its "
              + file.tensors().size()
              + " keys is known; the first are "
              + file.tensors().keySet().stream().limit(3).toList());
    }
  }

  private void refuseUnsupported(String key) {
    UNSUPPORTED.forEach(
        (part, kind) -> {
          if (key.contains(part)) {
            throw new AdapterException(
                file.path()
                    + ": '"
                    + key
                    + "': this is a "
                    + kind
                    + " adapter, which is not supported; supported are LoRA and URAE's minor"
                    + " components");
          }
        });
  }

  private void sort(String key) {
    Matcher minor = MINOR.matcher(key);
    Matcher down = DOWN.matcher(key);
    Matcher up = UP.matcher(key);
    Matcher alpha = ALPHA.matcher(key);
    if (minor.matches()) {
      minorComponents = true;
      String module = minor.group(1) + ".processor.to_" + minor.group(2);
      put(minor.group(3).equals("a") ? downKeys : upKeys, module, key);
    } else if (down.matches()) {
      put(downKeys, down.group(1), key);
    } else if (up.matches()) {
      put(upKeys, up.group(1), key);
    } else if (alpha.matches()) {
      put(alphaKeys, alpha.group(1), key);
    } else {
      unknownKeys.add(key);
    }
  }

  private void put(Map<String, String> keys, String module, String key) {
    String before = keys.putIfAbsent(module, key);
    if (before != null) {
      throw new AdapterException(
          file.path() + ": '" + key + "' and '" + before + "' are for the same module");
    }
  }

  /** Tells whether some adapter, supported or not, has such a key. */
  static boolean isAdapterKey(String key) {
    return MINOR.matcher(key).matches()
        || DOWN.matcher(key).matches()
        || UP.matcher(key).matches()
        || UNSUPPORTED.keySet().stream().anyMatch(part -> key.contains("." + part));
  }

  private static boolean isMinor(String module) {
    return module.contains(".attn.processor.to_");
  }

  AdapterFormat format() {
    if (minorComponents) {
      return AdapterFormat.MINOR_COMPONENTS;
    }
    String first = modules.get(0).name();
    if (modules.stream().anyMatch(m -> m.name().startsWith("lora_"))) {
      return AdapterFormat.KOHYA;
    }
    if (modules.stream().anyMatch(m -> m.name().contains(".processor."))) {
      return AdapterFormat.XLABS;
    }
    boolean own =
        first.contains("double_blocks.")
            || first.contains("single_blocks.")
            || first.contains("final_layer.");
    return own ? AdapterFormat.BFL : AdapterFormat.PEFT;
  }

  private AdapterModule pair(String module, Optional<JsonNode> configuration) throws IOException {
    String downKey = downKeys.get(module);
    String upKey = upKeys.get(module);
    if (upKey == null) {
      throw new AdapterException(
          file.path() + ": '" + downKey + "': the other half of the pair is missing");
    }
    Tensor down = matrix(downKey);
    Tensor up = matrix(upKey);
    long rank = down.shape().dimension(0);
    if (rank == 0 || up.shape().dimension(1) != rank) {
      throw new AdapterException(
          file.path()
              + ": '"
              + downKey
              + "' "
              + down.shape()
              + " and '"
              + upKey
              + "' "
              + up.shape()
              + ": expected [rank, inputs] and [outputs, rank] of the same rank");
    }
    List<String> keys = new ArrayList<>(List.of(downKey, upKey));
    double alpha = rank;
    double scale = 1;
    if (alphaKeys.containsKey(module)) {
      keys.add(alphaKeys.get(module));
      alpha = scalar(alphaKeys.get(module));
      scale = alpha / rank;
    } else if (configuration.isPresent()) {
      alpha = configuredAlpha(configuration.get(), module, rank);
      boolean rankStabilised = setting(configuration.get(), "use_rslora").asBoolean();
      scale = alpha / (rankStabilised ? Math.sqrt((double) rank) : rank);
    }
    if (!Double.isFinite(scale)) {
      throw new AdapterException(file.path() + ": '" + module + "': alpha is " + alpha);
    }
    return new AdapterModule(module, down, up, alpha, scale, List.copyOf(keys));
  }

  private Tensor matrix(String key) throws IOException {
    Tensor tensor = file.tensor(key);
    if (tensor.shape().rank() != 2 || !tensor.type().isFloatingPoint()) {
      throw new AdapterException(
          file.path()
              + ": '"
              + key
              + "': expected a matrix of floating-point numbers, found "
              + tensor.type()
              + tensor.shape());
    }
    for (float value : tensor.toFloats()) {
      if (!Float.isFinite(value)) {
        throw new AdapterException(
            file.path()
                + ": '"
                + key
                + "': holds a value that is not finite ("
                + value
                + "); the adapter is damaged");
      }
    }
    return tensor;
  }

  private double scalar(String key) throws IOException {
    Tensor tensor = file.tensor(key);
    if (tensor.shape().elementCount() != 1 || !tensor.type().isConvertible()) {
      throw new AdapterException(
          file.path()
              + ": '"
              + key
              + "': expected one number, found "
              + tensor.type()
              + tensor.shape());
    }
    return tensor.toFloats()[0];
  }

  private Optional<JsonNode> configuration() {
    String text = file.metadata().get(CONFIGURATION_KEY);
    if (text == null) {
      return Optional.empty();
    }
    JsonNode configuration;
    try {
      configuration = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw new AdapterException(
          file.path()
              + ": metadata '"
              + CONFIGURATION_KEY
              + "' is not valid JSON: "
              + e.getOriginalMessage(),
          e);
    }
    if (setting(configuration, "use_dora").asBoolean()) {
      throw new AdapterException(file.path() + ": this is a DoRA adapter, which is not supported");
    }
    return Optional.of(configuration);
  }

  /** diffusers puts the network's name before each setting. */
  private static JsonNode setting(JsonNode configuration, String name) {
    JsonNode prefixed = configuration.path("transformer." + name);
    return prefixed.isMissingNode() ? configuration.path(name) : prefixed;
  }

  /** PEFT: a pattern that fits the module's name, whole or after a dot, wins over the default. */
  private double configuredAlpha(JsonNode configuration, String module, long rank) {
    for (Map.Entry<String, JsonNode> pattern :
        setting(configuration, "alpha_pattern").properties()) {
      try {
        if (Pattern.matches("(.*\\.)?(" + pattern.getKey() + ")", module)) {
          return pattern.getValue().asDouble();
        }
      } catch (PatternSyntaxException e) {
        throw new AdapterException(
            file.path() + ": metadata: alpha_pattern '" + pattern.getKey() + "' is no pattern", e);
      }
    }
    return setting(configuration, "lora_alpha").asDouble((double) rank);
  }
}
