package io.github.urae.training.internal.torch;

import io.github.urae.AdapterException;
import io.github.urae.training.internal.engine.AdapterStage;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A linear layer that gets an adapter, and what its factors are called in URAE's files.
 *
 * @param name the layer's, as in {@code transformer_blocks.0.attn.to_q}
 * @param downKey the key of A, [rank, in]
 * @param upKey the key of B, [out, rank]
 */
record TrainedModule(String name, String downKey, String upKey) {

  private static final Pattern MINOR = Pattern.compile("(.+\\.attn)\\.to_(q|k|v|out)(?:\\.0)?");

  /**
   * Names the factors of a layer.
   *
   * @throws AdapterException if a stage's files have no name for it
   */
  static TrainedModule of(AdapterStage stage, String name) {
    if (stage instanceof AdapterStage.Lora) {
      String key = "transformer." + name;
      return new TrainedModule(name, key + ".lora_A.weight", key + ".lora_B.weight");
    }
    var parts = MINOR.matcher(name);
    if (!parts.matches()) {
      throw new AdapterException(
          "target module '"
              + name
              + "': URAE's files of minor components have keys for attention's to_q, to_k, to_v and"
              + " to_out.0 only; leave it out, or train a LoRA");
    }
    String key = parts.group(1) + ".processor.to_" + parts.group(2);
    return new TrainedModule(name, key + "_a.weight", key + "_b.weight");
  }

  /** Returns the keys of both factors. */
  List<String> keys() {
    return List.of(downKey, upKey);
  }
}
