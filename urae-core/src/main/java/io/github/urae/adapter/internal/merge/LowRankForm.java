package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.Matrix;
import io.github.urae.adapter.internal.format.Parameter;
import java.util.Optional;

/**
 * Changes as one product {@code B A} of two matrices, exactly, where that is smaller than the
 * change itself: LoKr's with a factor of low rank, and LoHa's, whose rank is that of its products
 * multiplied.
 */
public final class LowRankForm {

  private LowRankForm() {}

  /**
   * Returns the rank that a change has in this form.
   *
   * @return empty if it is none of low rank: whole values, lengths, a bias, or a product whose rank
   *     is that of any matrix of its shape
   */
  public static Optional<Integer> rank(AdapterModule module) {
    Change change = module.change();
    if (module.magnitude().isPresent() || module.parameter() != Parameter.WEIGHT) {
      return Optional.empty();
    }
    if (change instanceof Change.LowRank lowRank) {
      return Optional.of(lowRank.rank());
    }
    long rank;
    if (change instanceof Change.Kronecker kronecker) {
      rank = (long) rank(kronecker.left()) * rank(kronecker.right());
    } else if (change instanceof Change.Hadamard hadamard) {
      rank = (long) rank(hadamard.first()) * rank(hadamard.second());
    } else {
      return Optional.empty();
    }
    return rank < Math.min(change.outputs(), change.inputs())
        ? Optional.of((int) rank)
        : Optional.empty();
  }

  /**
   * Computes the form.
   *
   * @param change that of a module that has a {@link #rank}
   * @return A and B in float32, with the change's own scale
   */
  public static Change.LowRank of(Change change) {
    if (change instanceof Change.LowRank lowRank) {
      return lowRank;
    }
    if (change instanceof Change.Kronecker kronecker) {
      Pair left = pair(kronecker.left());
      Pair right = pair(kronecker.right());
      return change(
          kronecker(left.up, left.rank, right.up, right.rank),
          kronecker(left.down, left.columns(), right.down, right.columns()),
          left.rank * right.rank,
          change.scale());
    }
    Change.Hadamard hadamard = (Change.Hadamard) change;
    Pair first = pair(hadamard.first());
    Pair second = pair(hadamard.second());
    int rank = first.rank * second.rank;
    float[] up = new float[Math.multiplyExact(first.rows(), rank)];
    for (int row = 0; row < first.rows(); row++) {
      for (int k = 0; k < rank; k++) {
        up[row * rank + k] =
            first.up[row * first.rank + k / second.rank]
                * second.up[row * second.rank + k % second.rank];
      }
    }
    int columns = first.columns();
    float[] down = new float[Math.multiplyExact(rank, columns)];
    for (int k = 0; k < rank; k++) {
      for (int column = 0; column < columns; column++) {
        down[k * columns + column] =
            first.down[k / second.rank * columns + column]
                * second.down[k % second.rank * columns + column];
      }
    }
    return change(up, down, rank, change.scale());
  }

  private static Change.LowRank change(float[] up, float[] down, int rank, double scale) {
    return new Change.LowRank(
        Matrix.of(down, rank, down.length / rank),
        Matrix.of(up, up.length / rank, rank),
        rank,
        scale);
  }

  private static int rank(Change.Factor factor) {
    return factor.up().isPresent()
        ? ProductRows.rank(factor)
        : Math.toIntExact(Math.min(factor.rows(), factor.columns()));
  }

  /** The factors of a matrix: up [rows, rank], down [rank, columns]. */
  private static final class Pair {

    private final float[] up;
    private final float[] down;
    private final int rank;

    Pair(float[] up, float[] down, int rank) {
      this.up = up;
      this.down = down;
      this.rank = rank;
    }

    int rows() {
      return up.length / rank;
    }

    int columns() {
      return down.length / rank;
    }
  }

  /** A stored matrix is its own product with the unit matrix. */
  private static Pair pair(Change.Factor factor) {
    int rank = rank(factor);
    if (factor.up().isPresent()) {
      return new Pair(ProductRows.up(factor), ProductRows.down(factor), rank);
    }
    float[] unit = new float[rank * rank];
    for (int i = 0; i < rank; i++) {
      unit[i * rank + i] = 1;
    }
    float[] values = factor.down().toFloats();
    return factor.rows() == rank ? new Pair(unit, values, rank) : new Pair(values, unit, rank);
  }

  private static float[] kronecker(float[] left, int leftColumns, float[] right, int rightColumns) {
    int width = leftColumns * rightColumns;
    int rightRows = right.length / rightColumns;
    float[] product = new float[Math.multiplyExact(left.length, right.length)];
    for (int i = 0; i < product.length; i++) {
      int row = i / width;
      int column = i % width;
      product[i] =
          left[row / rightRows * leftColumns + column / rightColumns]
              * right[row % rightRows * rightColumns + column % rightColumns];
    }
    return product;
  }
}
