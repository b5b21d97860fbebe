package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.TimestepShift;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

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

  /** Name of FLUX as it was trained. */
  public static final String STANDARD_NAME = "standard";

  /** Name of URAE's ultra resolution. */
  public static final String ULTRA_NAME = "ultra";

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
   * A profile as a request asks for it: which one, and the numbers that replace its own.
   *
   * @param choice which profile
   * @param shift replaces its timestep shift
   * @param ntkFactor replaces its NTK factor; positive
   * @param proportionalAttention replaces its switch
   * @param nativeTokens replaces the checkpoint's native tokens; at least 2
   */
  public record Settings(
      Choice choice,
      Optional<TimestepShift> shift,
      OptionalDouble ntkFactor,
      Optional<Boolean> proportionalAttention,
      OptionalLong nativeTokens) {

    /** The profile that fits the size, with its own numbers. */
    public static final Settings AUTO = of(Choice.AUTO);

    /**
     * Checks the ranges.
     *
     * @param choice as above
     * @param shift as above
     * @param ntkFactor as above
     * @param proportionalAttention as above
     * @param nativeTokens as above
     */
    public Settings {
      Objects.requireNonNull(choice, "choice");
      ntkFactor.ifPresent(Profile::checkNtkFactor);
      nativeTokens.ifPresent(Profile::checkNativeTokens);
    }

    /**
     * Returns a profile with its own numbers.
     *
     * @param choice which profile
     * @return the settings
     */
    public static Settings of(Choice choice) {
      return new Settings(
          choice, Optional.empty(), OptionalDouble.empty(), Optional.empty(), OptionalLong.empty());
    }

    /**
     * Returns these settings with another timestep shift.
     *
     * @param value the shift
     * @return new settings
     */
    public Settings withShift(TimestepShift value) {
      return new Settings(
          choice, Optional.of(value), ntkFactor, proportionalAttention, nativeTokens);
    }

    /**
     * Returns these settings with another NTK factor.
     *
     * @param value positive; 1 leaves rotary positions as trained
     * @return new settings
     */
    public Settings withNtkFactor(double value) {
      return new Settings(
          choice, shift, OptionalDouble.of(value), proportionalAttention, nativeTokens);
    }

    /**
     * Returns these settings with proportional attention on or off, whatever the profile says.
     *
     * @param value whether attention sharpens with the token count
     * @return new settings
     */
    public Settings withProportionalAttention(boolean value) {
      return new Settings(choice, shift, ntkFactor, Optional.of(value), nativeTokens);
    }

    /**
     * Returns these settings with another token count at which proportional attention changes
     * nothing.
     *
     * @param value at least 2
     * @return new settings
     */
    public Settings withNativeTokens(long value) {
      return new Settings(choice, shift, ntkFactor, proportionalAttention, OptionalLong.of(value));
    }

    /**
     * Puts these numbers in place of a profile's own.
     *
     * @param profile the chosen profile, with the checkpoint's numbers
     * @return the profile to draw with
     */
    public Profile over(Profile profile) {
      return new Profile(
          profile.name(),
          shift.orElse(profile.shift()),
          ntkFactor.orElse(profile.ntkFactor()),
          proportionalAttention.orElse(profile.proportionalAttention()),
          nativeTokens.orElse(profile.nativeTokens()));
    }
  }

  /**
   * Returns the settings that ask for exactly this profile, whatever the size.
   *
   * @return the choice of its name with all its numbers
   */
  public Settings settings() {
    return new Settings(
        ULTRA_NAME.equals(name) ? Choice.ULTRA : Choice.STANDARD,
        Optional.of(shift),
        OptionalDouble.of(ntkFactor),
        Optional.of(proportionalAttention),
        OptionalLong.of(nativeTokens));
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
    checkNtkFactor(ntkFactor);
    checkNativeTokens(nativeTokens);
  }

  private static void checkNtkFactor(double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw InvalidRequestException.of(
          "profile.ntk_factor", "NTK factor: expected a positive number, found " + value);
    }
  }

  private static void checkNativeTokens(long value) {
    if (value < 2) {
      throw InvalidRequestException.of(
          "profile.native_tokens", "native tokens: expected 2 or more, found " + value);
    }
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
