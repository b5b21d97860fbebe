package io.github.urae;

import io.github.urae.image.RgbImage;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/**
 * One denoising step that has just been done.
 *
 * @param step number of the step, 1 to {@code steps}
 * @param steps steps in all; where images are drawn in several batches or passes, those of all
 * @param sigma noise level that the step started from, in (0, 1]
 * @param nextSigma noise level that it reached, in [0, 1)
 * @param done share of the work of all steps that is done, in (0, 1]; steps at full size count more
 *     than those of a draft
 * @param elapsed time since the first step began
 * @param preview computes what {@link #previews()} returns
 * @param cancellation cancels this generation
 */
public record StepProgress(
    int step,
    int steps,
    double sigma,
    double nextSigma,
    double done,
    Duration elapsed,
    Supplier<List<RgbImage>> preview,
    CancellationToken cancellation) {

  /**
   * Estimates the time until the last step is done, from the speed so far.
   *
   * @return the estimate; zero after the last step
   */
  public Duration remaining() {
    return Duration.ofNanos((long) (elapsed.toNanos() * Math.max(0, 1 / done - 1)));
  }

  /**
   * Computes what the pictures will look like as far as this step can tell: a linear map from the
   * latents without their remaining noise to colours, an eighth as wide and high as the pictures.
   * Costs nothing unless called, and then some milliseconds.
   *
   * @return one picture for each image of the batch that the step was made on; none where the
   *     autoencoder is neither FLUX.1's nor the bundled checkpoint's
   */
  public List<RgbImage> previews() {
    return preview.get();
  }

  /** Cancels the generation: it ends with a {@link GenerationCancelledException} at once. */
  public void cancel() {
    cancellation.cancel();
  }
}
