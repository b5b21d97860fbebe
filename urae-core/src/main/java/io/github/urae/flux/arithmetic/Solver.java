package io.github.urae.flux.arithmetic;

/** How a step from one noise level to the next is made. */
public enum Solver {
  /** Along the velocity where the step begins: one run of the transformer. */
  EULER,
  /**
   * Along the mean of that and the velocity where Euler's step ends: two runs of the transformer
   * for every step but the last.
   */
  HEUN
}
