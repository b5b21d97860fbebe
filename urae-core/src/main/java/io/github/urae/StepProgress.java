package io.github.urae;

import java.time.Duration;

/**
 * One denoising step that has just been done.
 *
 * @param step number of the step, 1 to {@code steps}
 * @param steps steps in all; where images are drawn in several batches, those of all batches
 * @param sigma noise level that the step started from, in (0, 1]
 * @param nextSigma noise level that it reached, in [0, 1)
 * @param elapsed time since the first step began
 * @param cancellation cancels this generation
 */
public record StepProgress(
    int step,
    int steps,
    double sigma,
    double nextSigma,
    Duration elapsed,
    CancellationToken cancellation) {

  /**
   * Estimates the time until the last step is done, from the average so far.
   *
   * @return the estimate; zero after the last step
   */
  public Duration remaining() {
    return elapsed.dividedBy(step).multipliedBy(steps - step);
  }

  /** Cancels the generation: it ends with a {@link GenerationCancelledException} at once. */
  public void cancel() {
    cancellation.cancel();
  }
}
