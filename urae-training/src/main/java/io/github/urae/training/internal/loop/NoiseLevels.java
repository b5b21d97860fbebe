package io.github.urae.training.internal.loop;

import io.github.urae.training.WeightingScheme;

/**
 * Noise levels that are trained: those of a table of 1000, as diffusers' flow-matching scheduler
 * makes it. Arithmetic in float32, as there.
 *
 * @param scheme how they are drawn and weighted
 * @param logitMean mean of the normal numbers of {@link WeightingScheme#LOGIT_NORMAL}; 0
 * @param logitDeviation their standard deviation; 1
 * @param modeScale strength of {@link WeightingScheme#MODE}, -1 to 1.75; 1.29
 * @param shift sigma becomes {@code shift sigma / (1 + (shift - 1) sigma)}; 1 changes nothing, as
 *     URAE trains
 */
public record NoiseLevels(
    WeightingScheme scheme,
    double logitMean,
    double logitDeviation,
    double modeScale,
    double shift) {

  private static final int TIMESTEPS = 1000;

  /** With more, or less than -1, {@link WeightingScheme#MODE} would leave [0, 1]. */
  private static final double MOST_MODE_SCALE = 2 / (Math.PI - 2);

  /** Checks the ranges. */
  public NoiseLevels {
    if (!Double.isFinite(logitMean)) {
      throw new IllegalArgumentException("logit mean: expected a number, found " + logitMean);
    }
    if (!(logitDeviation > 0) || Double.isInfinite(logitDeviation)) {
      throw new IllegalArgumentException(
          "logit deviation: expected a positive number, found " + logitDeviation);
    }
    if (!(modeScale >= -1 && modeScale <= MOST_MODE_SCALE)) {
      throw new IllegalArgumentException("mode scale: expected -1 to 1.75, found " + modeScale);
    }
    if (!(shift > 0) || Double.isInfinite(shift)) {
      throw new IllegalArgumentException("shift: expected a positive number, found " + shift);
    }
  }

  /**
   * Returns the noise level that a random number stands for.
   *
   * @param u in [0, 1)
   * @return sigma, above 0, at most 1
   */
  public float sigma(float u) {
    int index = Math.min(TIMESTEPS - 1, (int) (u * TIMESTEPS));
    float sigma = (float) (TIMESTEPS - index) / TIMESTEPS;
    float factor = (float) shift;
    return shift == 1 ? sigma : factor * sigma / (1 + (factor - 1) * sigma);
  }

  /**
   * Turns random numbers into one of the scheme's distribution.
   *
   * @param uniform in [0, 1)
   * @param normal standard normal; looked at by {@link WeightingScheme#LOGIT_NORMAL} alone
   * @return u, in [0, 1]
   */
  public float distributed(float uniform, float normal) {
    return switch (scheme) {
      case NONE, SIGMA_SQRT, COSMAP -> uniform;
      case LOGIT_NORMAL -> {
        double logit = logitMean + logitDeviation * normal;
        yield (float) (1 / (1 + Math.exp(-logit)));
      }
      case MODE -> {
        double cosine = Math.cos(Math.PI * uniform / 2);
        yield (float) (1 - uniform - modeScale * (cosine * cosine - 1 + uniform));
      }
    };
  }

  /**
   * Returns the factor on a picture's loss.
   *
   * @param sigma its noise level
   * @return the factor
   */
  public double lossWeight(float sigma) {
    return switch (scheme) {
      case NONE, LOGIT_NORMAL, MODE -> 1;
      case SIGMA_SQRT -> 1 / ((double) sigma * sigma);
      case COSMAP -> 2 / (Math.PI * (1 - 2.0 * sigma + 2.0 * sigma * sigma));
    };
  }
}
