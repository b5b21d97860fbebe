package io.github.urae.onnx.internal.graph;

/**
 * How a layer is computed after adapters have changed its weight, where that is not taken as plain
 * values.
 */
public sealed interface Adaptation {

  /** The stored weight stays as it is, and a product of two small matrices is added. */
  record Beside(int rank) implements Adaptation {}

  /** The new values come in its place, in 8 bits or more. */
  record Merged() implements Adaptation {}

  /**
   * Largest rank that is computed beside a weight: with more, the matrices would take more room in
   * float32 than FLUX.1's square layers in 8 bits.
   */
  int MOST_RANK = 384;

  /**
   * Chooses between the two: a product that is smaller than the weight is computed beside it.
   *
   * @param rank of the changes of a weight as one product
   * @param outputs rows of the weight
   * @param inputs columns of the weight
   * @return which one
   */
  static Adaptation of(int rank, long outputs, long inputs) {
    boolean isSmall = rank <= MOST_RANK && rank * (outputs + inputs) < outputs * inputs;
    return isSmall ? new Beside(rank) : new Merged();
  }
}
