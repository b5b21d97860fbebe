package io.github.urae.training;

/** What changes adapters by their gradients, with the settings of URAE's scripts. */
public enum TrainingOptimizer {
  /**
   * Estimates its step size while it trains: the learning rate is a factor on that, and 1. URAE's
   * choice.
   *
   * @see <a href="https://arxiv.org/abs/2306.06101">Mishchenko and Defazio: Prodigy</a>
   */
  PRODIGY(1),
  /**
   * Adam with decoupled weight decay; learning rate 1e-4 unless told otherwise.
   *
   * @see <a href="https://arxiv.org/abs/1711.05101">Loshchilov and Hutter: Decoupled Weight Decay
   *     Regularization</a>
   */
  ADAMW(1e-4);

  private final double usualRate;

  TrainingOptimizer(double usualRate) {
    this.usualRate = usualRate;
  }

  /**
   * Returns the learning rate where none is set.
   *
   * @return URAE's
   */
  public double usualRate() {
    return usualRate;
  }
}
