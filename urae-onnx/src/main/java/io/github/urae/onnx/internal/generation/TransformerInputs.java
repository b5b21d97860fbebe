package io.github.urae.onnx.internal.generation;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ConditioningAssembler;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The transformer's inputs at the steps of one pass: what the family's assembler makes of latents
 * and text, positions in the form that the transformer takes, time and guidance.
 */
public final class TransformerInputs {

  private final ConditioningAssembler assembler;
  private final TransformerConfig config;
  private final LatentGrid grid;
  private final double guidance;
  private final Map<String, Tensor> positions = new HashMap<>();

  /** Computes what is the same at every step. */
  public TransformerInputs(
      NetworkUse transformer,
      Checkpoint checkpoint,
      LatentGrid grid,
      int textTokens,
      Profile profile,
      double guidance) {
    this.assembler = checkpoint.family().assembler();
    this.config = checkpoint.transformer();
    this.grid = grid;
    this.guidance = guidance;
    TokenPositions tokens = assembler.positions(grid, textTokens);
    if (transformer.takes("img_ids")) {
      addPositions(tokens, profile);
      return;
    }
    // Proportional attention sits in the query's tables alone.
    addTables("query", tokens, profile.ntkFactor(), profile.queryFactor(tokens.tokens()));
    addTables("key", tokens, profile.ntkFactor(), 1);
  }

  private void addTables(String side, TokenPositions tokens, double ntkFactor, double factor) {
    int[] axes = config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray();
    RotaryTables tables = RotaryTables.of(axes, tokens, ntkFactor, factor);
    int pairs = config.headDim() / 2;
    positions.put(side + "_cos", Tensor.ofFloats(tables.cos(), tokens.tokens(), pairs));
    positions.put(side + "_sin", Tensor.ofFloats(tables.sin(), tokens.tokens(), pairs));
  }

  /** Positions, for exports that make rotary tables of them by themselves. */
  private void addPositions(TokenPositions tokens, Profile profile) {
    if (profile.ntkFactor() != 1 || profile.proportionalAttention()) {
      throw InvalidRequestException.of(
          "profile",
          "profile '"
              + profile.name()
              + "': this transformer is an ONNX export that runs as it was exported, with its own"
              + " rotary positions; expected NTK factor 1 and no proportional attention");
    }
    positions.put("txt_ids", ids(tokens, 0, tokens.textTokens()));
    positions.put("img_ids", ids(tokens, tokens.textTokens(), tokens.tokens()));
  }

  private static Tensor ids(TokenPositions tokens, int first, int end) {
    return Tensor.ofFloats(tokens.toFloats(first, end), end - first, TokenPositions.AXES);
  }

  /**
   * Returns the inputs of a step.
   *
   * @param time what the transformer is told of the noise level
   * @param latents packed, [B, tokens, packed channels]; unchanged
   * @param text embeddings of B prompts
   */
  Map<String, Tensor> at(float time, float[] latents, PromptEmbeddings text) {
    Map<String, Tensor> inputs = new HashMap<>(positions);
    inputs.putAll(assembler.inputs(grid, latents, text));
    inputs.put("timestep", repeated(time, text.count()));
    if (config.guidance()) {
      inputs.put("guidance", repeated((float) guidance, text.count()));
    }
    return inputs;
  }

  /** Takes the velocity of the latents out of the transformer's output. */
  float[] velocity(float[] output) {
    return assembler.velocity(grid, output);
  }

  private static Tensor repeated(float value, int count) {
    float[] values = new float[count];
    Arrays.fill(values, value);
    return Tensor.ofFloats(values, count);
  }
}
