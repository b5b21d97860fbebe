package io.github.urae.training;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What an update of the adapters was like.
 *
 * @param step updates so far, this one included
 * @param steps updates in all
 * @param pictures names of the pictures whose gradients it was made of
 * @param sigmas noise levels of these, 0 to 1
 * @param loss mean over these
 * @param smoothedLoss exponential mean over about the last fifty pictures
 * @param smoothedBySigma the same by ranges of the noise level, such as {@code "0.2-0.4"}; only
 *     those that had pictures
 * @param gradientNorm norm of all gradients before clipping
 * @param learningRate what the optimizer was told
 * @param stepSize Prodigy's estimate d after the update; empty for AdamW
 * @param duration time of the update
 * @param memoryBytes resident memory of the process, file pages included
 * @param remaining estimate of the time until the last step
 */
public record TrainingStep(
    long step,
    long steps,
    List<String> pictures,
    List<Double> sigmas,
    double loss,
    double smoothedLoss,
    Map<String, Double> smoothedBySigma,
    double gradientNorm,
    double learningRate,
    OptionalDouble stepSize,
    Duration duration,
    long memoryBytes,
    Optional<Duration> remaining) {

  /**
   * Copies the collections.
   *
   * @param step as above
   * @param steps as above
   * @param pictures as above
   * @param sigmas as above
   * @param loss as above
   * @param smoothedLoss as above
   * @param smoothedBySigma as above
   * @param gradientNorm as above
   * @param learningRate as above
   * @param stepSize as above
   * @param duration as above
   * @param memoryBytes as above
   * @param remaining as above
   */
  public TrainingStep {
    pictures = List.copyOf(pictures);
    sigmas = List.copyOf(sigmas);
    smoothedBySigma = Map.copyOf(smoothedBySigma);
  }
}
