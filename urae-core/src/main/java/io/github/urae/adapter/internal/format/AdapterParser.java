package io.github.urae.adapter.internal.format;

import io.github.urae.AdapterException;
import io.github.urae.adapter.AdapterFormat;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sorts the keys of an adapter file into pairs of matrices, and checks each pair. */
public final class AdapterParser {

  /** Endings of the keys of A: PEFT, PEFT with an adapter's name, kohya, older diffusers, XLabs. */
  private static final Pattern DOWN =
      Pattern.compile(
          "(.+?)(\\.lora_A(\\.\\w+)?|\\.lora_down|\\.lora\\.down|(?<=_lora[12]?)\\.down)\\.weight");

  private static final Pattern UP =
      Pattern.compile(
          "(.+?)(\\.lora_B(\\.\\w+)?|\\.lora_up|\\.lora\\.up|(?<=_lora[12]?)\\.up)\\.weight");

  private static final Pattern ALPHA = Pattern.compile("(.+)\\.alpha");

  /** URAE's minor components: the processor's own small layers. */
  private static final Pattern MINOR =
      Pattern.compile("(.+\\.attn)\\.processor\\.to_(q|k|v|out)_(a|b)\\.weight");

  /** Kinds of adapters that change weights in another way, by how a part of a key begins. */
  private static final Map<String, String> UNSUPPORTED =
      Map.of(
          "lora_magnitude_vector", "DoRA",
          "dora_scale", "DoRA",
          "lokr_", "LoKr",
          "hada_", "LoHa",
          "oft_", "OFT",
          "boft_", "BOFT",
          "ia3_", "IA3",
          "vera_lambda", "VeRA");

  private static final Pattern DIFFERENCE =
      Pattern.compile(".+\\.(diff|diff_b|lora_B\\.bias|lora_up\\.bias)");

  /** What a file without pairs may hold instead, by the ending of its keys. */
  private static final Map<String, String> OTHER_CHANGES =
      Map.of(
          ".diff", "whole differences of weights",
          ".diff_b", "differences of biases",
          ".bias", "biases",
          ".weight", "whole weights");

  /** Modules of Black Forest Labs' own code. */
  private static final Pattern OWN_NAMES =
      Pattern.compile("(^|\\.)(double_blocks|single_blocks|final_layer|(img|txt|time)_in)(\\.|$)");

  private final SafetensorsFile file;
  private final Map<String, String> downKeys = new LinkedHashMap<>();
  private final Map<String, String> upKeys = new LinkedHashMap<>();
  private final Map<String, String> alphaKeys = new LinkedHashMap<>();
  private final List<AdapterModule> modules = new ArrayList<>();
  private final List<String> unknownKeys = new ArrayList<>();
  private boolean minorComponents;

  public AdapterParser(SafetensorsFile file) {
    this.file = file;
  }

  public List<AdapterModule> modules() {
    return modules;
  }

  public List<String> unknownKeys() {
    return unknownKeys;
  }

  public void parse() throws IOException {
    for (String key : file.tensors().keySet()) {
      refuseUnsupported(key);
      sort(key);
    }
    if (minorComponents && downKeys.keySet().stream().anyMatch(m -> !isMinor(m))) {
      throw new AdapterException(
          file.path() + ": holds minor components and low-rank updates at once; expected one kind");
    }
    Optional<AlphaSettings> settings = AlphaSettings.of(file);
    for (String module : downKeys.keySet()) {
      modules.add(pair(module, settings));
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
              + " keys belongs to a pair of matrices; the first are "
              + file.tensors().keySet().stream().limit(3).toList()
              + otherChanges()
              + ForeignAdapters.hint(file.tensors().keySet()));
    }
  }

  private String otherChanges() {
    List<String> found =
        OTHER_CHANGES.entrySet().stream()
            .filter(e -> file.tensors().keySet().stream().anyMatch(k -> k.endsWith(e.getKey())))
            .map(Map.Entry::getValue)
            .sorted()
            .toList();
    return found.isEmpty()
        ? ""
        : ". It holds " + String.join(" and ", found) + ", which are not supported";
  }

  private void refuseUnsupported(String key) {
    UNSUPPORTED.forEach(
        (part, kind) -> {
          if (key.contains("." + part)) {
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

  private void sort(String key) throws IOException {
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
    } else if (!isZeroDifference(key)) {
      unknownKeys.add(key);
    }
  }

  /** Some trainers write differences for what they do not train: all zero, so nothing is lost. */
  private boolean isZeroDifference(String key) throws IOException {
    Tensor tensor = file.tensor(key);
    if (!DIFFERENCE.matcher(key).matches() || !tensor.type().isFloatingPoint()) {
      return false;
    }
    for (float value : tensor.toFloats()) {
      if (value != 0) {
        return false;
      }
    }
    return true;
  }

  private void put(Map<String, String> keys, String module, String key) {
    String before = keys.putIfAbsent(module, key);
    if (before != null) {
      throw new AdapterException(
          file.path() + ": '" + key + "' and '" + before + "' are for the same module");
    }
  }

  /** Tells whether some adapter, supported or not, has such a key. */
  public static boolean isAdapterKey(String key) {
    return MINOR.matcher(key).matches()
        || DOWN.matcher(key).matches()
        || UP.matcher(key).matches()
        || UNSUPPORTED.keySet().stream().anyMatch(part -> key.contains("." + part));
  }

  private static boolean isMinor(String module) {
    return module.contains(".attn.processor.to_");
  }

  public AdapterFormat format() {
    if (minorComponents) {
      return AdapterFormat.MINOR_COMPONENTS;
    }
    if (modules.stream().anyMatch(m -> m.name().startsWith("lora_"))) {
      return AdapterFormat.KOHYA;
    }
    if (modules.stream().anyMatch(m -> m.name().contains(".processor."))) {
      return AdapterFormat.XLABS;
    }
    return modules.stream().anyMatch(m -> OWN_NAMES.matcher(m.name()).find())
        ? AdapterFormat.BFL
        : AdapterFormat.PEFT;
  }

  private AdapterModule pair(String module, Optional<AlphaSettings> settings) throws IOException {
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
    String alphaKey = alphaKeys.get(module);
    if (alphaKey != null) {
      keys.add(alphaKey);
      alpha = scalar(alphaKey);
      scale = alpha / rank;
    } else if (settings.isPresent()) {
      alpha = settings.get().alpha(module, rank);
      scale =
          settings.get().isRankStabilised(module) ? alpha / Math.sqrt((double) rank) : alpha / rank;
    }
    // Zero is damage too: the adapter would change nothing, without a word.
    if (!Double.isFinite(scale) || scale == 0) {
      throw new AdapterException(
          file.path()
              + ": '"
              + (alphaKey == null ? downKey : alphaKey)
              + "': expected a finite alpha other than 0, found "
              + alpha);
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
}
