package io.github.urae.onnx.internal.graph;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Inputs of a transformer for a picture of 64x48, of seeded noise. */
public final class TransformerInputs {

  private TransformerInputs() {}

  public static Map<String, Tensor> of(TransformerConfig config) {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, 64, 48);
    int text = 5;
    TorchGenerator random = new TorchGenerator(7);
    int[] axes = config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray();
    RotaryTables tables = RotaryTables.of(axes, TokenPositions.of(text, grid), 1, 1);
    long tokens = text + grid.tokens();
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put(
        "hidden_states",
        Tensor.ofFloats(random.randn(grid.latentElements()), 1, grid.tokens(), 64));
    inputs.put(
        "encoder_hidden_states",
        Tensor.ofFloats(random.randn(text * config.textDim()), 1, text, config.textDim()));
    inputs.put(
        "pooled_projections",
        Tensor.ofFloats(random.randn(config.pooledDim()), 1, config.pooledDim()));
    inputs.put("timestep", Tensor.ofFloats(new float[] {0.7f}, 1));
    inputs.put("guidance", Tensor.ofFloats(new float[] {3.5f}, 1));
    for (String side : List.of("query", "key")) {
      inputs.put(side + "_cos", Tensor.ofFloats(tables.cos(), tokens, config.headDim() / 2));
      inputs.put(side + "_sin", Tensor.ofFloats(tables.sin(), tokens, config.headDim() / 2));
    }
    return inputs;
  }
}
