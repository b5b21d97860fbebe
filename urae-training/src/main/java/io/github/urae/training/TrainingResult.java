package io.github.urae.training;

import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * How a training ended.
 *
 * @param step updates that are done
 * @param steps updates that were asked for
 * @param adapter the adapter's file, {@code adapter.safetensors}; empty if the training was
 *     cancelled before its last step
 * @param checkpoint the last checkpoint, from which it can be continued; empty if it was cancelled
 *     before the first step
 * @param smoothedLoss over the last pictures; empty before the first step
 * @param heldOutLoss of pictures that are not trained on, at the last measurement; empty if there
 *     are none
 */
public record TrainingResult(
    long step,
    long steps,
    Optional<Path> adapter,
    Optional<Path> checkpoint,
    OptionalDouble smoothedLoss,
    OptionalDouble heldOutLoss) {

  /**
   * Tells whether all steps are done.
   *
   * @return false if the training was cancelled
   */
  public boolean isComplete() {
    return step >= steps;
  }
}
