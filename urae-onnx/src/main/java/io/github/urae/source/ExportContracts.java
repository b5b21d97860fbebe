package io.github.urae.source;

import java.util.HashMap;
import java.util.Map;

/** Inputs and outputs of Optimum's exports, by the folders in which they lie. */
public final class ExportContracts {

  private ExportContracts() {}

  /**
   * Returns what an exported network takes and gives.
   *
   * @param folder {@code transformer}, {@code text_encoder}, {@code text_encoder_2}, {@code
   *     vae_decoder} or {@code vae_encoder}
   * @param guidance whether the transformer is told a guidance scale
   * @return ranks of its inputs by name, and the output that is read
   */
  public static ExportedNetwork.Interface of(String folder, boolean guidance) {
    return switch (folder) {
      case "transformer" -> transformer(guidance);
      case "text_encoder" -> new ExportedNetwork.Interface(Map.of("input_ids", 2), "pooler_output");
      case "text_encoder_2" ->
          new ExportedNetwork.Interface(Map.of("input_ids", 2), "last_hidden_state");
      case "vae_decoder" -> new ExportedNetwork.Interface(Map.of("latent_sample", 4), "sample");
      case "vae_encoder" -> new ExportedNetwork.Interface(Map.of("sample", 4), "latent_parameters");
      default -> throw new IllegalArgumentException("no network is exported to " + folder);
    };
  }

  private static ExportedNetwork.Interface transformer(boolean guidance) {
    Map<String, Integer> inputs = new HashMap<>();
    inputs.put("hidden_states", 3);
    inputs.put("encoder_hidden_states", 3);
    inputs.put("pooled_projections", 2);
    inputs.put("timestep", 1);
    inputs.put("img_ids", 2);
    inputs.put("txt_ids", 2);
    if (guidance) {
      inputs.put("guidance", 1);
    }
    return new ExportedNetwork.Interface(Map.copyOf(inputs), "out_hidden_states");
  }
}
