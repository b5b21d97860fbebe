package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.onnx.internal.session.FiniteResults;
import io.github.urae.onnx.internal.session.NetworkUse;
import java.util.function.Supplier;

/** Takes latents over the noise levels of a schedule. Owns nothing. */
public final class Denoiser {

  private final VelocityPredictor predictor;
  private final TransformerInputs inputs;
  private final Schedule schedule;
  private final Supplier<String> likelyCauses;

  public Denoiser(VelocityPredictor predictor, TransformerInputs inputs, Schedule schedule) {
    this(predictor, inputs, schedule, () -> "");
  }

  /**
   * Denoises with a transformer.
   *
   * @param likelyCauses ends the message on a velocity that is not finite
   */
  Denoiser(
      VelocityPredictor predictor,
      TransformerInputs inputs,
      Schedule schedule,
      Supplier<String> likelyCauses) {
    this.predictor = predictor;
    this.inputs = inputs;
    this.schedule = schedule;
    this.likelyCauses = likelyCauses;
  }

  /** The same with the transformer run at every step. */
  public Denoiser(
      NetworkUse transformer,
      Checkpoint checkpoint,
      LatentGrid grid,
      int textTokens,
      Profile profile,
      Schedule schedule,
      double guidance,
      Supplier<String> likelyCauses) {
    this(
        VelocityPredictor.everyStep(transformer),
        new TransformerInputs(transformer, checkpoint, grid, textTokens, profile, guidance),
        schedule,
        likelyCauses);
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
      latents = observer.onStep(step, checked(step, next), velocity);
    }
    return latents;
  }

  private float[] checked(int step, float[] latents) {
    return FiniteResults.checked(
        latents, found -> step(step) + ": latents overflow, " + found + likelyCauses.get());
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
      FiniteResults.checked(
          velocity,
          found ->
              step(level)
                  + ": the velocity cannot be guided on, "
                  + found
                  + "; the scale of true guidance, "
                  + conditioning.scale()
                  + ", is too large (usual are 1 to 7)");
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
    float[] predicted =
        predictor.predict(run, inputs.at(schedule.modelTime(level), latents, text), cancellation);
    FiniteResults.checked(
        predicted,
        found -> step(level) + ": the transformer makes no picture, " + found + likelyCauses.get());
    return inputs.velocity(predicted);
  }

  private String step(int level) {
    return "step " + (level + 1) + " of " + schedule.steps();
  }
}
