package io.github.urae.training.internal.loop;

import io.github.urae.training.LearningRateSchedule;

/**
 * What the optimizer is told at each update.
 *
 * @param highest the rate after the warm-up
 * @param schedule how it goes on
 * @param warmUp updates over which it rises in a straight line, at least 0
 * @param updates updates in all; not looked at by {@link LearningRateSchedule#CONSTANT}
 */
public record LearningRate(
    double highest, LearningRateSchedule schedule, long warmUp, long updates) {

  /**
   * Returns the rate of an update.
   *
   * @param update updates before it
   * @return the rate; above 0 until all updates are done
   */
  public double at(long update) {
    if (update < warmUp) {
      return highest * (update + 1) / warmUp;
    }
    double share = (double) (update - warmUp) / Math.max(1, updates - warmUp);
    return switch (schedule) {
      case CONSTANT -> highest;
      case LINEAR -> highest * Math.max(0, 1 - share);
      case COSINE -> highest * (0.5 + 0.5 * Math.cos(Math.PI * Math.min(1, share)));
    };
  }
}
