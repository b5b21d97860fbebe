package io.github.urae.flux.model.internal;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.arithmetic.SigmaSpacing;
import io.github.urae.flux.arithmetic.TimestepShift;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * How a scheduler makes its noise levels, apart from the timestep shift.
 *
 * @param spacing how they lie between the first and the last
 * @param terminal what the last before 0 is stretched to, above 0, below 1
 * @param least the last level where they are not spaced evenly; empty for that of the shift
 * @param greatest the first level where they are not spaced evenly; empty for that of the shift
 * @param inverted whether they rise: 1 - sigma, and 1 in the end
 * @param downTo empty for even levels that end with 1/steps before the shift, as FLUX's pipeline
 *     chooses them; with a number N, that end with the shifted 1/N, as schedulers choose them
 */
record NoiseLevels(
    SigmaSpacing spacing,
    OptionalDouble terminal,
    OptionalDouble least,
    OptionalDouble greatest,
    boolean inverted,
    OptionalInt downTo) {

  /** The exponent of Karras et al. */
  private static final double RHO = 7;

  /** Both parameters of Lee et al. */
  private static final double BETA = 0.6;

  /** Even levels between the first and the last that the shift gives, falling. */
  static NoiseLevels even(OptionalInt downTo) {
    return new NoiseLevels(
        SigmaSpacing.EVEN,
        OptionalDouble.empty(),
        OptionalDouble.empty(),
        OptionalDouble.empty(),
        false,
        downTo);
  }

  NoiseLevels withSpacing(SigmaSpacing other) {
    return new NoiseLevels(other, terminal, least, greatest, inverted, downTo);
  }

  /** Returns the levels of a schedule, {@code steps + 1} of them. */
  float[] of(int steps, TimestepShift shift, long imageTokens) {
    double last =
        downTo.isPresent()
            ? shift.apply(1.0 / downTo.getAsInt(), imageTokens)
            : 1.0 / Math.max(steps, 1);
    double[] levels = Schedule.evenLevels(steps, last);
    for (int i = 0; i < steps; i++) {
      levels[i] = shift.apply(levels[i], imageTokens);
    }
    if (terminal.isPresent()) {
      stretchInPlace(levels, terminal.getAsDouble());
    }
    if (spacing != SigmaSpacing.EVEN) {
      levels = spaced(steps, greatest.orElse(levels[0]), least.orElse(levels[levels.length - 1]));
    }
    float[] sigmas = new float[steps + 1];
    for (int i = 0; i < steps; i++) {
      sigmas[i] = inverted ? 1 - (float) levels[i] : (float) levels[i];
    }
    sigmas[steps] = inverted ? 1 : 0;
    return sigmas;
  }

  private static void stretchInPlace(double[] levels, double terminal) {
    if (levels.length == 1) {
      throw InvalidRequestException.of(
          "steps",
          "steps: expected 2 or more, since the checkpoint's scheduler stretches its levels from 1"
              + " to a shift_terminal of "
              + terminal
              + ", found 1");
    }
    double scale = (1 - levels[levels.length - 1]) / (1 - terminal);
    for (int i = 0; i < levels.length; i++) {
      levels[i] = 1 - (1 - levels[i]) / scale;
    }
  }

  private double[] spaced(int steps, double first, double last) {
    BetaDistribution beta = new BetaDistribution(BETA);
    double[] levels = new double[steps];
    for (int i = 0; i < steps; i++) {
      double done = steps == 1 ? 0 : (double) i / (steps - 1);
      levels[i] =
          switch (spacing) {
            case EVEN -> first + done * (last - first);
            case KARRAS -> {
              double root = Math.pow(first, 1 / RHO);
              yield Math.pow(root + done * (Math.pow(last, 1 / RHO) - root), RHO);
            }
            case EXPONENTIAL ->
                Math.exp(Math.log(first) + done * (Math.log(last) - Math.log(first)));
            case BETA -> last + beta.quantile(1 - done) * (first - last);
          };
    }
    return levels;
  }
}
