package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.Matrix;
import java.util.Optional;

/**
 * The matrix of a change, without its scale: rows in float32, computed when they are needed, so
 * that the whole is never held. Thread-safe, but each thread needs a reader of its own. Readers are
 * used until this is closed.
 */
interface ChangeRows extends AutoCloseable {

  /** Reads rows on one thread. */
  @FunctionalInterface
  interface Reader {

    /**
     * Computes rows.
     *
     * @param first number of the first one
     * @param count how many
     * @param target receives them, from its beginning, row after row
     */
    void read(int first, int count, float[] target);
  }

  /**
   * Prepares the rows of a change.
   *
   * @param algebra multiplies; empty for plain Java
   */
  static ChangeRows of(Change change, Optional<DenseAlgebra> algebra) {
    if (change instanceof Change.LowRank lowRank) {
      return new ProductRows(lowRank, algebra);
    }
    if (change instanceof Change.Kronecker kronecker) {
      return new KroneckerRows(kronecker, algebra);
    }
    if (change instanceof Change.Hadamard hadamard) {
      return new HadamardRows(hadamard, algebra);
    }
    return change instanceof Change.Difference difference
        ? stored(difference.values())
        : stored(((Change.Replacement) change).values());
  }

  /** Prepares the rows of a factor of a change. */
  static ChangeRows of(Change.Factor factor, Optional<DenseAlgebra> algebra) {
    return factor.up().isPresent() ? new ProductRows(factor, algebra) : stored(factor.down());
  }

  private static ChangeRows stored(Matrix matrix) {
    return () -> matrix::readRows;
  }

  /** Returns a reader for one thread. */
  Reader newReader();

  @Override
  default void close() {
    // What only reads holds nothing.
  }
}
