package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.InvalidRequestException;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Runs the transformer over the noise levels of a schedule. Owns nothing. */
public final class Denoiser {

  private final NetworkUse transformer;
  private final TransformerConfig config;
  private final LatentGrid grid;
  private final Schedule schedule;
  private final double guidance;
  private final Map<String, Tensor> tables = new HashMap<>();

  public Denoiser(
      NetworkUse transformer,
      TransformerConfig config,
      LatentGrid grid,
      int textTokens,
      Profile profile,
      Schedule schedule,
      double guidance) {
    this.transformer = transformer;
    this.config = config;
    this.grid = grid;
    this.schedule = schedule;
    this.guidance = guidance;
    if (transformer.takes("img_ids")) {
      addPositions(textTokens, profile);
      return;
    }
    // Proportional attention sits in the query's tables alone.
    double factor = profile.queryFactor(textTokens + grid.tokens());
    addTables("query", textTokens, profile.ntkFactor(), factor);
    addTables("key", textTokens, profile.ntkFactor(), 1);
  }

  private void addTables(String side, int textTokens, double ntkFactor, double factor) {
    int[] axes = config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray();
    RotaryTables computed = RotaryTables.of(axes, textTokens, grid, ntkFactor, factor);
    long tokens = textTokens + grid.tokens();
    tables.put(side + "_cos", Tensor.ofFloats(computed.cos(), tokens, config.headDim() / 2));
    tables.put(side + "_sin", Tensor.ofFloats(computed.sin(), tokens, config.headDim() / 2));
  }

  /** Positions, for exports that make rotary tables of them by themselves. */
  private void addPositions(int textTokens, Profile profile) {
    if (profile.ntkFactor() != 1 || profile.proportionalAttention()) {
      throw new InvalidRequestException(
          "profile '"
              + profile.name()
              + "': this transformer is an ONNX export that runs as it was exported, with its own"
              + " rotary positions; expected NTK factor 1 and no proportional attention");
    }
    int tokens = Math.toIntExact(grid.tokens());
    float[] image = new float[tokens * 3];
    for (int token = 0; token < tokens; token++) {
      int row = token / grid.columns();
      image[token * 3 + 1] = row;
      image[token * 3 + 2] = token % grid.columns();
    }
    tables.put("txt_ids", Tensor.ofFloats(new float[textTokens * 3], textTokens, 3));
    tables.put("img_ids", Tensor.ofFloats(image, tokens, 3));
  }

  /** Hears of every step: its index, the latents after it, and the velocity that led there. */
  @FunctionalInterface
  public interface StepObserver {
    void onStep(int step, float[] latents, float[] velocity);
  }

  /**
   * Denoises a batch.
   *
   * @param noise packed [B, tokens, 64]; unchanged
   * @param conditioning for each of the batch
   * @return packed [B, tokens, 64]
   */
  public float[] denoise(
      float[] noise,
      Conditioning conditioning,
      CancellationToken cancellation,
      StepObserver observer) {
    float[] latents = noise;
    for (int step = 0; step < schedule.steps(); step++) {
      float[] velocity = velocity(step, latents, conditioning, cancellation);
      latents = schedule.step(step, latents, velocity);
      observer.onStep(step, latents, velocity);
    }
    return latents;
  }

  /** Predicts the velocity at a step's noise level: packed [B, tokens, 64]. */
  public float[] velocity(
      int step, float[] latents, Conditioning conditioning, CancellationToken cancellation) {
    float[] velocity = velocity(step, latents, conditioning.prompt(), cancellation);
    if (conditioning.negative().isPresent()) {
      // One after the other, as diffusers does, so that memory does not grow.
      float[] negative = velocity(step, latents, conditioning.negative().get(), cancellation);
      float scale = (float) conditioning.scale();
      for (int i = 0; i < velocity.length; i++) {
        velocity[i] = negative[i] + scale * (velocity[i] - negative[i]);
      }
    }
    return velocity;
  }

  private float[] velocity(
      int step, float[] latents, PromptEmbeddings embeddings, CancellationToken cancellation) {
    int batch = embeddings.prompts();
    Map<String, Tensor> inputs = new HashMap<>(tables);
    inputs.put(
        "hidden_states",
        Tensor.ofFloats(latents, batch, grid.tokens(), grid.layout().packedChannels()));
    inputs.put("encoder_hidden_states", embeddings.sequence());
    inputs.put("pooled_projections", embeddings.pooled());
    inputs.put("timestep", repeated(schedule.modelTime(step), batch));
    if (config.guidance()) {
      inputs.put("guidance", repeated((float) guidance, batch));
    }
    return transformer.run(inputs, cancellation);
  }

  private static Tensor repeated(float value, int count) {
    float[] values = new float[count];
    Arrays.fill(values, value);
    return Tensor.ofFloats(values, count);
  }
}
