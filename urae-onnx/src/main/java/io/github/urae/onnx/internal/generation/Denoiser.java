package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.onnx.internal.session.NetworkUse;

/** Takes latents over the noise levels of a schedule. Owns nothing. */
public final class Denoiser {

  private final VelocityPredictor predictor;
  private final TransformerInputs inputs;
  private final Schedule schedule;

  public Denoiser(VelocityPredictor predictor, TransformerInputs inputs, Schedule schedule) {
    this.predictor = predictor;
    this.inputs = inputs;
    this.schedule = schedule;
  }

  /** The same with the transformer run at every step. */
  public Denoiser(
      NetworkUse transformer,
      Checkpoint checkpoint,
      LatentGrid grid,
      int textTokens,
      Profile profile,
      Schedule schedule,
      double guidance) {
    this(
        VelocityPredictor.everyStep(transformer),
        new TransformerInputs(transformer, checkpoint, grid, textTokens, profile, guidance),
        schedule);
  }

  /** Hears of every step, and says what latents to go on with. */
  @FunctionalInterface
  public interface StepObserver {

    /**
     * Takes a step that is done.
     *
     * @param latents after it; unchanged
     * @param velocity that led there; with Heun's method the one at its end
     * @return the latents to go on with, of the same shape
     */
    float[] onStep(int step, float[] latents, float[] velocity);
  }

  /**
   * Denoises a batch.
   *
   * @param noise packed [B, tokens, packed channels]; unchanged
   * @param conditioning for each of the batch
   * @return packed [B, tokens, packed channels]
   */
  public float[] denoise(
      float[] noise,
      Conditioning conditioning,
      CancellationToken cancellation,
      StepObserver observer) {
    float[] latents = noise;
    for (int step = 0; step < schedule.steps(); step++) {
      float[] velocity = velocity(step, latents, conditioning, cancellation);
      float[] next = schedule.step(step, latents, velocity);
      if (schedule.corrects(step)) {
        float[] atEnd =
            velocity(schedule.evaluations(step) + 1, step + 1, next, conditioning, cancellation);
        next = schedule.corrected(step, latents, velocity, atEnd);
        velocity = atEnd;
      }
      latents = observer.onStep(step, next, velocity);
    }
    return latents;
  }

  /** Predicts the velocity at a step's noise level: packed [B, tokens, packed channels]. */
  public float[] velocity(
      int step, float[] latents, Conditioning conditioning, CancellationToken cancellation) {
    return velocity(schedule.evaluations(step), step, latents, conditioning, cancellation);
  }

  private float[] velocity(
      int evaluation,
      int level,
      float[] latents,
      Conditioning conditioning,
      CancellationToken cancellation) {
    float[] velocity =
        velocity(evaluation, level, latents, conditioning.prompt(), false, cancellation);
    if (conditioning.negative().isPresent()) {
      // One after the other, as diffusers does, so that memory does not grow.
      float[] negative =
          velocity(evaluation, level, latents, conditioning.negative().get(), true, cancellation);
      float scale = (float) conditioning.scale();
      for (int i = 0; i < velocity.length; i++) {
        velocity[i] = negative[i] + scale * (velocity[i] - negative[i]);
      }
    }
    return velocity;
  }

  private float[] velocity(
      int evaluation,
      int level,
      float[] latents,
      PromptEmbeddings text,
      boolean negative,
      CancellationToken cancellation) {
    VelocityPredictor.Step run =
        new VelocityPredictor.Step(
            evaluation, schedule.evaluations(schedule.steps()), schedule.sigma(level), negative);
    return inputs.velocity(
        predictor.predict(run, inputs.at(schedule.modelTime(level), latents, text), cancellation));
  }
}
