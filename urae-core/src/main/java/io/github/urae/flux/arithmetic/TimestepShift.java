package io.github.urae.flux.arithmetic;

import io.github.urae.InvalidRequestException;

/** How noise levels are moved towards 1, where a picture's composition is decided. */
public sealed interface TimestepShift {

  /**
   * Moves a noise level.
   *
   * @param sigma in (0, 1]
   * @param imageTokens number of image tokens, for the shifts that depend on it
   * @return the shifted level, in (0, 1]
   */
  double apply(double sigma, long imageTokens);

  /**
   * One shift for all sizes: {@code s*sigma / (1 + (s-1)*sigma)}. URAE uses the scheduler's own, 3
   * for FLUX.1-dev.
   *
   * @param shift s, positive; 1 changes nothing
   */
  record Static(double shift) implements TimestepShift {

    /**
     * Checks the range.
     *
     * @param shift as above
     */
    public Static {
      if (!(shift > 0) || Double.isInfinite(shift)) {
        throw InvalidRequestException.of(
            "profile.shift", "timestep shift: expected a positive number, found " + shift);
      }
    }

    @Override
    public double apply(double sigma, long imageTokens) {
      return shift * sigma / (1 + (shift - 1) * sigma);
    }
  }

  /**
   * A shift that grows with the picture: {@code e^mu / (e^mu + 1/sigma - 1)}, or with mu itself in
   * the place of e^mu, where mu is linear in the number of image tokens. Unusable at 4096x4096,
   * where mu is 11.55.
   *
   * @param baseShift mu at {@code baseTokens}, 0.5 for FLUX.1
   * @param maxShift mu at {@code maxTokens}, 1.15 for FLUX.1
   * @param baseTokens 256 for FLUX.1
   * @param maxTokens 4096 for FLUX.1; mu goes on growing beyond
   * @param exponential whether it is e^mu, as for FLUX.1, or mu
   */
  record Dynamic(
      double baseShift, double maxShift, long baseTokens, long maxTokens, boolean exponential)
      implements TimestepShift {

    /**
     * Creates FLUX.1's kind, with e^mu.
     *
     * @param baseShift as above
     * @param maxShift as above
     * @param baseTokens as above
     * @param maxTokens as above
     */
    public Dynamic(double baseShift, double maxShift, long baseTokens, long maxTokens) {
      this(baseShift, maxShift, baseTokens, maxTokens, true);
    }

    /**
     * Checks the range.
     *
     * @param baseShift as above
     * @param maxShift as above
     * @param baseTokens as above
     * @param maxTokens as above
     * @param exponential as above
     */
    public Dynamic {
      if (!Double.isFinite(baseShift) || !Double.isFinite(maxShift) || maxTokens == baseTokens) {
        throw InvalidRequestException.of(
            "profile.shift",
            "dynamic timestep shift: expected finite shifts at two different token counts, found "
                + baseShift
                + " at "
                + baseTokens
                + " and "
                + maxShift
                + " at "
                + maxTokens);
      }
    }

    /**
     * Returns the exponent of the shift.
     *
     * @param imageTokens number of image tokens
     * @return mu
     */
    public double mu(long imageTokens) {
      double slope = (maxShift - baseShift) / (maxTokens - baseTokens);
      return imageTokens * slope + (baseShift - slope * baseTokens);
    }

    @Override
    public double apply(double sigma, long imageTokens) {
      double mu = mu(imageTokens);
      double factor = exponential ? Math.exp(mu) : mu;
      return factor / (factor + (1 / sigma - 1));
    }
  }
}
