package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Seeded inputs of FLUX.1-dev's transformer: 512 text tokens and a picture. */
final class StepInputs {

  static final int TEXT_TOKENS = 512;

  private static final int TEXT_WIDTH = 4096;
  private static final int POOLED_WIDTH = 768;
  private static final int HEAD_PAIRS = 64;

  private StepInputs() {}

  /** Returns what the reference implementation takes; it makes the rotary tables itself. */
  static Map<String, Tensor> withoutTables(LatentGrid grid) {
    int tokens = (int) grid.tokens();
    TorchGenerator random = new TorchGenerator(2);
    Map<String, Tensor> inputs = new LinkedHashMap<>();
    inputs.put("hidden_states", Tensor.ofFloats(random.randn(tokens * 64), 1, tokens, 64));
    inputs.put(
        "encoder_hidden_states",
        Tensor.ofFloats(random.randn(TEXT_TOKENS * TEXT_WIDTH), 1, TEXT_TOKENS, TEXT_WIDTH));
    inputs.put("pooled_projections", Tensor.ofFloats(random.randn(POOLED_WIDTH), 1, POOLED_WIDTH));
    inputs.put("timestep", Tensor.ofFloats(new float[] {0.75f}, 1));
    inputs.put("guidance", Tensor.ofFloats(new float[] {3.5f}, 1));
    return inputs;
  }

  /** Returns all inputs of our graph. */
  static Map<String, Tensor> of(LatentGrid grid) {
    Map<String, Tensor> inputs = withoutTables(grid);
    RotaryTables tables =
        RotaryTables.of(new int[] {16, 56, 56}, TokenPositions.of(TEXT_TOKENS, grid), 1, 1);
    long all = TEXT_TOKENS + grid.tokens();
    for (String side : List.of("query", "key")) {
      inputs.put(side + "_cos", Tensor.ofFloats(tables.cos(), all, HEAD_PAIRS));
      inputs.put(side + "_sin", Tensor.ofFloats(tables.sin(), all, HEAD_PAIRS));
    }
    return inputs;
  }
}
