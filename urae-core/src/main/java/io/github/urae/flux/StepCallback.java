package io.github.urae.flux;

import io.github.urae.tensor.Tensor;

/**
 * Changes latents between the steps of a generation, as diffusers' {@code callback_on_step_end}
 * does.
 */
@FunctionalInterface
public interface StepCallback {

  /**
   * Called after each step, on the thread that generates. An exception thrown from it ends the
   * generation.
   *
   * @param step the step just done
   * @param latents after the step, packed, float32 [images of the batch, tokens, 64]
   * @return the latents to go on with, float32 of the same shape: those given, which costs nothing,
   *     or others, which are copied
   */
  Tensor onStepEnd(DenoisingStep step, Tensor latents);
}
