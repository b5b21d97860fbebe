package io.github.urae.adapter.internal.format;

import java.util.List;
import java.util.Optional;

/**
 * A key of an adapter file, taken apart.
 *
 * @param module the module by the file's own name
 * @param role what its tensor is
 */
record AdapterKey(String module, KeyRole role) {

  /** How a key without {@code .weight} or {@code .bias} may end. */
  private record Ending(String text, KeyRole role, boolean isNamed) {}

  private static final String WEIGHT = ".weight";
  private static final String BIAS = ".bias";
  private static final String SCALE = ".scale";

  /** What Black Forest Labs' code calls the weight of a normalisation. */
  private static final String NORM_SCALE = "_norm" + SCALE;

  /** PEFT puts an adapter's name behind its own endings. */
  private static final List<Ending> ENDINGS =
      List.of(
          new Ending(".lora_A", KeyRole.DOWN, true),
          new Ending(".lora_B", KeyRole.UP, true),
          new Ending(".lora_down", KeyRole.DOWN, false),
          new Ending(".lora_up", KeyRole.UP, false),
          new Ending(".lora.down", KeyRole.DOWN, false),
          new Ending(".lora.up", KeyRole.UP, false),
          new Ending(".lora_linear_layer.down", KeyRole.DOWN, false),
          new Ending(".lora_linear_layer.up", KeyRole.UP, false),
          new Ending(".lora_magnitude_vector", KeyRole.MAGNITUDE, true),
          new Ending(".magnitude", KeyRole.MAGNITUDE, false),
          new Ending(".dora_scale", KeyRole.MAGNITUDE, false),
          new Ending(".alpha", KeyRole.ALPHA, false),
          new Ending(".lokr_w1", KeyRole.KRONECKER_1, true),
          new Ending(".lokr_w1_a", KeyRole.KRONECKER_1_A, true),
          new Ending(".lokr_w1_b", KeyRole.KRONECKER_1_B, true),
          new Ending(".lokr_w2", KeyRole.KRONECKER_2, true),
          new Ending(".lokr_w2_a", KeyRole.KRONECKER_2_A, true),
          new Ending(".lokr_w2_b", KeyRole.KRONECKER_2_B, true),
          new Ending(".lokr_t2", KeyRole.KRONECKER_2_CORE, true),
          new Ending(".hada_w1_a", KeyRole.HADAMARD_1_A, true),
          new Ending(".hada_w1_b", KeyRole.HADAMARD_1_B, true),
          new Ending(".hada_t1", KeyRole.HADAMARD_1_CORE, true),
          new Ending(".hada_w2_a", KeyRole.HADAMARD_2_A, true),
          new Ending(".hada_w2_b", KeyRole.HADAMARD_2_B, true),
          new Ending(".hada_t2", KeyRole.HADAMARD_2_CORE, true),
          new Ending(".diff", KeyRole.WEIGHT_DIFFERENCE, false),
          new Ending(".diff_b", KeyRole.BIAS_DIFFERENCE, false),
          new Ending(".w_norm", KeyRole.WEIGHT_DIFFERENCE, false),
          new Ending(".b_norm", KeyRole.BIAS_DIFFERENCE, false),
          new Ending(".set_weight", KeyRole.WHOLE_WEIGHT, false));

  /** XLabs' processors, {@code qkv_lora1.down}, and old diffusers', {@code to_q_lora.down}. */
  private static final List<String> XLABS_MODULES = List.of("_lora", "_lora1", "_lora2");

  private static final String MINOR_PROCESSOR = ".attn.processor.to_";
  private static final List<String> MINOR_PROJECTIONS = List.of("q", "k", "v", "out");

  /** Takes a key apart; empty if it has no known ending. */
  static Optional<AdapterKey> of(String key) {
    Optional<AdapterKey> minor = minor(key);
    if (minor.isPresent()) {
      return minor;
    }
    boolean bias = key.endsWith(BIAS);
    String stem =
        key.endsWith(WEIGHT)
            ? key.substring(0, key.length() - WEIGHT.length())
            : bias ? key.substring(0, key.length() - BIAS.length()) : key;
    Optional<AdapterKey> known = ending(stem).or(() -> ending(withoutName(stem), true));
    if (known.isPresent()) {
      return bias ? known.flatMap(AdapterKey::bias) : known;
    }
    if (stem.endsWith(NORM_SCALE)) {
      return Optional.of(
          new AdapterKey(stem.substring(0, stem.length() - SCALE.length()), KeyRole.WHOLE_WEIGHT));
    }
    if (stem.endsWith(SCALE) && stem.length() > SCALE.length() && stem.length() == key.length()) {
      return Optional.of(
          new AdapterKey(stem.substring(0, stem.length() - SCALE.length()), KeyRole.SCALE));
    }
    if (stem.length() < key.length() && !stem.isEmpty()) {
      return Optional.of(new AdapterKey(stem, bias ? KeyRole.WHOLE_BIAS : KeyRole.WHOLE_WEIGHT));
    }
    return Optional.empty();
  }

  /** Tells whether a key is one of minor components: a projection of an attention processor. */
  static boolean isMinor(String key) {
    return minor(key).isPresent();
  }

  /** URAE's minor components: the processor's own small layers. */
  private static Optional<AdapterKey> minor(String key) {
    int processor = key.indexOf(MINOR_PROCESSOR);
    if (processor <= 0 || !key.endsWith(WEIGHT)) {
      return Optional.empty();
    }
    String stem = key.substring(0, key.length() - WEIGHT.length());
    int side = stem.lastIndexOf('_');
    String module = stem.substring(0, side);
    if (module.length() < processor + MINOR_PROCESSOR.length()
        || !MINOR_PROJECTIONS.contains(module.substring(processor + MINOR_PROCESSOR.length()))) {
      return Optional.empty();
    }
    return switch (stem.substring(side + 1)) {
      case "a" -> Optional.of(new AdapterKey(module, KeyRole.DOWN));
      case "b" -> Optional.of(new AdapterKey(module, KeyRole.UP));
      default -> Optional.empty();
    };
  }

  private static Optional<AdapterKey> ending(String stem) {
    return ending(stem, false);
  }

  private static Optional<AdapterKey> ending(String stem, boolean named) {
    for (Ending ending : ENDINGS) {
      if (stem.endsWith(ending.text())
          && stem.length() > ending.text().length()
          && (ending.isNamed() || !named)) {
        return Optional.of(
            new AdapterKey(
                stem.substring(0, stem.length() - ending.text().length()), ending.role()));
      }
    }
    return named ? Optional.empty() : xlabs(stem);
  }

  private static Optional<AdapterKey> xlabs(String stem) {
    boolean down = stem.endsWith(".down");
    if (down || stem.endsWith(".up")) {
      String module = stem.substring(0, stem.lastIndexOf('.'));
      if (XLABS_MODULES.stream().anyMatch(module::endsWith)) {
        return Optional.of(new AdapterKey(module, down ? KeyRole.DOWN : KeyRole.UP));
      }
    }
    return Optional.empty();
  }

  private static String withoutName(String stem) {
    return stem.substring(0, Math.max(0, stem.lastIndexOf('.')));
  }

  /** Of what is no bias, a key that ends so is nothing that is known. */
  private Optional<AdapterKey> bias() {
    return role == KeyRole.UP
        ? Optional.of(new AdapterKey(module, KeyRole.UP_BIAS))
        : Optional.empty();
  }
}
