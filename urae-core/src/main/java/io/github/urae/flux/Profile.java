package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.model.internal.SchedulerConfig;

/**
 * The numbers in which ultra resolution differs from the standard use of FLUX.
 *
 * @param name shown to people and recorded in pictures
 * @param shift how noise levels are shifted
 * @param ntkFactor factor on the base frequency of all rotary positions (theta = 10000 * factor); 1
 *     leaves them as trained, URAE uses 10
 * @param proportionalAttention whether attention sharpens with the logarithm of the token count
 * @param nativeTokens the token count at which proportional attention changes nothing, at least 2;
 *     4608 for FLUX.1: 512 of text and 64x64 of image
 * @see <a href="https://arxiv.org/abs/2503.16322">URAE: ultra-resolution adaptation with ease</a>
 */
public record Profile(
    String name,
    TimestepShift shift,
    double ntkFactor,
    boolean proportionalAttention,
    long nativeTokens) {

  /** NTK factor of URAE at 2K and 4K. */
  public static final double ULTRA_NTK_FACTOR = 10;

  /** Which profile a generation uses. */
  public enum Choice {
    /** Ultra above the checkpoint's native area, standard up to it. */
    AUTO,
    /** FLUX as it was trained. */
    STANDARD,
    /** URAE's ultra resolution. */
    ULTRA
  }

  /**
   * Checks the ranges.
   *
   * @param name as above
   * @param shift as above
   * @param ntkFactor as above
   * @param proportionalAttention as above
   * @param nativeTokens as above
   */
  public Profile {
    if (!(ntkFactor > 0) || Double.isInfinite(ntkFactor)) {
      throw new InvalidRequestException(
          "NTK factor: expected a positive number, found " + ntkFactor);
    }
    if (nativeTokens < 2) {
      throw new InvalidRequestException("native tokens: expected 2 or more, found " + nativeTokens);
    }
  }

  /**
   * Returns FLUX as it was trained: the checkpoint's own shift, rotary positions and attention as
   * they are.
   *
   * @param scheduler the checkpoint's scheduler configuration
   * @param nativeTokens recorded, not used
   * @return the profile
   */
  public static Profile standard(SchedulerConfig scheduler, long nativeTokens) {
    return new Profile("standard", scheduler.ownShift(), 1, false, nativeTokens);
  }

  /**
   * Returns URAE's ultra resolution: the checkpoint's static shift, NTK factor 10, proportional
   * attention.
   *
   * @param scheduler the checkpoint's scheduler configuration
   * @param nativeTokens the checkpoint's native tokens, 4608 for FLUX.1
   * @return the profile
   */
  public static Profile ultra(SchedulerConfig scheduler, long nativeTokens) {
    return new Profile("ultra", scheduler.shift(), ULTRA_NTK_FACTOR, true, nativeTokens);
  }

  /**
   * Returns the factor on attention's queries: {@code sqrt(log(tokens) / log(nativeTokens))}, or 1
   * without proportional attention. The softmax scale becomes {@code sqrt(log_native(tokens) /
   * head_dim)}.
   *
   * @param tokens text and image tokens together
   * @return the factor; 1.07426 at 16896 tokens and 1.14701 at 66048, with 4608 native ones
   */
  public double queryFactor(long tokens) {
    return proportionalAttention
        ? Math.sqrt(Math.log((double) tokens) / Math.log((double) nativeTokens))
        : 1;
  }
}
