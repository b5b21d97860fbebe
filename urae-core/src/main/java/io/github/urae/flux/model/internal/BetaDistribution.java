package io.github.urae.flux.model.internal;

/**
 * The beta distribution with both parameters the same. One of the two, 0.6, is all that schedulers
 * use, and its symmetry leaves nothing of what makes the general case a library's work: the
 * distribution function is a quickly converging series up to the middle, where it is 1/2.
 */
final class BetaDistribution {

  /** Beyond what the terms of the series add to a double. */
  private static final int MAX_TERMS = 200;

  private final double parameter;
  private final double half;

  /** Creates the distribution of a positive parameter. */
  BetaDistribution(double parameter) {
    this.parameter = parameter;
    this.half = integral(0.5);
  }

  /**
   * Returns the point below which a share of the distribution lies.
   *
   * @param share in [0, 1]
   * @return in [0, 1]
   */
  double quantile(double share) {
    if (share > 0.5) {
      return 1 - quantile(1 - share);
    }
    double target = 2 * share * half;
    double low = 0;
    double high = 0.5;
    // Bisection: 60 halvings are exact to the last bit, and schedules have few levels.
    for (int i = 0; i < 60; i++) {
      double middle = (low + high) / 2;
      if (integral(middle) < target) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return share == 0 ? 0 : (low + high) / 2;
  }

  /**
   * Integrates {@code (t (1 - t))^(parameter - 1)} from 0 to x, at most 1/2: {@code x^p * sum over
   * n of (1 - p)_n / n! * x^n / (p + n)} (DLMF 8.17.7).
   */
  private double integral(double x) {
    double sum = 0;
    double coefficient = 1;
    for (int n = 0; n < MAX_TERMS; n++) {
      double term = coefficient / (parameter + n);
      sum += term;
      if (Math.abs(term) < 1e-17 * sum) {
        break;
      }
      coefficient *= (n + 1 - parameter) / (n + 1) * x;
    }
    return Math.pow(x, parameter) * sum;
  }
}
