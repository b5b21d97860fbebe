package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.HeapFactors;
import io.github.urae.adapter.internal.algebra.LowRankFactors;
import io.github.urae.adapter.internal.algebra.RowBlock;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.Matrix;
import java.util.Optional;

/** Rows of a product of low rank. */
final class ProductRows implements ChangeRows {

  private final int columns;
  private final LowRankFactors factors;

  ProductRows(Change.LowRank change, Optional<DenseAlgebra> algebra) {
    this(
        Math.toIntExact(change.outputs()),
        Math.toIntExact(change.inputs()),
        change.rank(),
        change.down().toFloats(),
        change.up().toFloats(),
        algebra);
  }

  /**
   * @param factor a product
   */
  ProductRows(Change.Factor factor, Optional<DenseAlgebra> algebra) {
    this(
        Math.toIntExact(factor.rows()),
        Math.toIntExact(factor.columns()),
        rank(factor),
        down(factor),
        up(factor),
        algebra);
  }

  /** The number of columns of the left factor. */
  static int rank(Change.Factor factor) {
    return Math.toIntExact(factor.core().map(Matrix::rows).orElse(factor.down().rows()));
  }

  private ProductRows(
      int rows, int columns, int rank, float[] down, float[] up, Optional<DenseAlgebra> algebra) {
    this.columns = columns;
    this.factors =
        algebra.isPresent()
            ? algebra.get().lowRankFactors(rows, columns, rank, down, up)
            : new HeapFactors(rows, columns, rank, down, up);
  }

  /** The left factor, [rows, rank]. */
  static float[] up(Change.Factor factor) {
    Matrix up = factor.up().orElseThrow();
    float[] values = up.toFloats();
    if (!factor.isUpTransposed()) {
      return values;
    }
    int rows = Math.toIntExact(up.columns());
    int rank = Math.toIntExact(up.rows());
    float[] turned = new float[values.length];
    for (int row = 0; row < rows; row++) {
      for (int k = 0; k < rank; k++) {
        turned[row * rank + k] = values[k * rows + row];
      }
    }
    return turned;
  }

  /** The right factor, with the core multiplied into it, [rank, columns]. */
  static float[] down(Change.Factor factor) {
    float[] down = factor.down().toFloats();
    if (factor.core().isEmpty()) {
      return down;
    }
    float[] core = factor.core().get().toFloats();
    int inner = Math.toIntExact(factor.down().rows());
    int columns = Math.toIntExact(factor.columns());
    int rank = core.length / inner;
    float[] product = new float[Math.multiplyExact(rank, columns)];
    for (int row = 0; row < rank; row++) {
      for (int column = 0; column < columns; column++) {
        double sum = 0;
        for (int k = 0; k < inner; k++) {
          sum += (double) core[row * inner + k] * down[k * columns + column];
        }
        product[row * columns + column] = (float) sum;
      }
    }
    return product;
  }

  @Override
  public Reader newReader() {
    RowBlock block = factors.newRows(LowRankFactors.MOST_ROWS);
    float[] zeros = new float[columns];
    return (first, count, target) -> {
      for (int done = 0; done < count; done += LowRankFactors.MOST_ROWS) {
        int size = Math.min(LowRankFactors.MOST_ROWS, count - done);
        for (int i = 0; i < size; i++) {
          block.putFloats(i, zeros, 0);
        }
        block.add(first + done, size);
        for (int i = 0; i < size; i++) {
          block.getFloats(i, target, (done + i) * columns);
        }
      }
    };
  }

  @Override
  public void close() {
    factors.close();
  }
}
