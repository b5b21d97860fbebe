package io.github.urae.training.internal.engine;

/** How gradients change an adapter. Defaults are those of URAE's scripts. */
public sealed interface OptimizerSettings {

  /**
   * AdamW.
   *
   * @param beta1 decay of the gradient's mean, in [0, 1); 0.9
   * @param beta2 decay of its square's mean, in [0, 1); 0.999
   * @param epsilon added to the root, positive; 1e-8
   * @param weightDecay at least 0; 1e-4
   * @see <a href="https://arxiv.org/abs/1711.05101">Loshchilov and Hutter: Decoupled Weight Decay
   *     Regularization</a>
   */
  record AdamW(double beta1, double beta2, double epsilon, double weightDecay)
      implements OptimizerSettings {

    /** What URAE's scripts set where AdamW is asked for. */
    public static final AdamW URAE = new AdamW(0.9, 0.999, 1e-8, 1e-4);

    /** Checks the ranges. */
    public AdamW {
      checkBeta("beta1", beta1);
      checkBeta("beta2", beta2);
      checkPositive("epsilon", epsilon);
      checkNotNegative("weight decay", weightDecay);
    }
  }

  /**
   * Prodigy, which estimates its step size d: the learning rate is a factor on it, 1 in URAE.
   *
   * @param beta1 decay of the gradient's mean, in [0, 1); 0.9
   * @param beta2 decay of its square's mean, in [0, 1); 0.999
   * @param beta3 decay of what d is estimated from, in [0, 1); the root of beta2
   * @param epsilon added to the root, times d; positive; 1e-8
   * @param weightDecay at least 0, decoupled where {@code decoupled}; 1e-4
   * @param decoupled whether weights decay as in AdamW, otherwise by the gradient; true
   * @param biasCorrection whether the first steps are enlarged as Adam's are; true
   * @param safeguardWarmup whether d is estimated without the learning rate, for schedules that
   *     start low; true
   * @param initialD d before the first step, positive; 1e-6
   * @param coefficient factor on the estimate, positive; 1
   * @param growthRate most by which d may grow in a step, above 1; infinite
   * @see <a href="https://arxiv.org/abs/2306.06101">Mishchenko and Defazio: Prodigy</a>
   */
  record Prodigy(
      double beta1,
      double beta2,
      double beta3,
      double epsilon,
      double weightDecay,
      boolean decoupled,
      boolean biasCorrection,
      boolean safeguardWarmup,
      double initialD,
      double coefficient,
      double growthRate)
      implements OptimizerSettings {

    /** What URAE's scripts set. */
    public static final Prodigy URAE =
        new Prodigy(
            0.9,
            0.999,
            Math.sqrt(0.999),
            1e-8,
            1e-4,
            true,
            true,
            true,
            1e-6,
            1,
            Double.POSITIVE_INFINITY);

    /** Checks the ranges. */
    public Prodigy {
      checkBeta("beta1", beta1);
      checkBeta("beta2", beta2);
      checkBeta("beta3", beta3);
      checkPositive("epsilon", epsilon);
      checkNotNegative("weight decay", weightDecay);
      checkPositive("initial d", initialD);
      checkPositive("coefficient of d", coefficient);
      if (!(growthRate > 1)) {
        throw new IllegalArgumentException(
            "growth rate of d: expected a number above 1, found " + growthRate);
      }
    }
  }

  private static void checkBeta(String name, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new IllegalArgumentException(name + ": expected 0 to below 1, found " + value);
    }
  }

  private static void checkPositive(String name, double value) {
    if (!(value > 0) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(name + ": expected a positive number, found " + value);
    }
  }

  private static void checkNotNegative(String name, double value) {
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw new IllegalArgumentException(name + ": expected 0 or more, found " + value);
    }
  }
}
