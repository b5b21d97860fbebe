package io.github.urae.onnx.internal.source;

import io.github.urae.flux.model.Component;
import java.util.HashMap;
import java.util.Map;

/** Inputs and outputs of Optimum's exports, by component. */
public final class ExportContracts {

  private ExportContracts() {}

  /**
   * Returns what an exported network takes and gives.
   *
   * @param network a component with weights
   * @param guidance whether the transformer is told a guidance scale
   * @return ranks of its inputs by name, and the output that is read
   */
  public static ExportedNetwork.Interface of(Component network, boolean guidance) {
    return switch (network) {
      case TRANSFORMER -> transformer(guidance);
      case TEXT_ENCODER -> new ExportedNetwork.Interface(Map.of("input_ids", 2), "pooler_output");
      case TEXT_ENCODER_2 ->
          new ExportedNetwork.Interface(Map.of("input_ids", 2), "last_hidden_state");
      case VAE_DECODER -> new ExportedNetwork.Interface(Map.of("latent_sample", 4), "sample");
      case VAE_ENCODER -> new ExportedNetwork.Interface(Map.of("sample", 4), "latent_parameters");
      case TOKENIZER, TOKENIZER_2 -> throw new IllegalArgumentException(network + " is no network");
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
