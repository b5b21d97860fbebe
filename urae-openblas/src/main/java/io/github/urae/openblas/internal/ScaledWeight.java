package io.github.urae.openblas.internal;

import io.github.urae.AdapterException;
import java.nio.DoubleBuffer;
import java.util.stream.IntStream;

/**
 * A float32 weight W [rows, columns] as dense algebra sees it: in float64, times a power of two
 * that brings its Frobenius norm into [1, 2), so that no tolerance depends on its scale and nothing
 * overflows. Reads the caller's array; immutable as long as that is.
 */
final class ScaledWeight {

  /** Columns or rows converted together by one thread: a cache line of float32. */
  private static final int STRIP = 16;

  /** Elements converted at a time for products; small enough to stay in cache. */
  private static final int CHUNK_ELEMENTS = 1 << 20;

  private final float[] values;
  private final int rows;
  private final int columns;
  private final int exponent;
  private final double norm;

  /**
   * Takes a view of the values.
   *
   * @throws AdapterException if one is not finite
   */
  ScaledWeight(float[] values, int rows, int columns) {
    this.values = values;
    this.rows = rows;
    this.columns = columns;
    double squares = IntStream.range(0, rows).parallel().mapToDouble(this::squares).sum();
    if (!(squares < Double.POSITIVE_INFINITY)) {
      throw notFinite();
    }
    exponent = squares == 0 ? 0 : Math.getExponent(Math.sqrt(squares));
    norm = Math.scalb(Math.sqrt(squares), -exponent);
  }

  private double squares(int row) {
    double sum = 0;
    for (int i = row * columns; i < (row + 1) * columns; i++) {
      sum += (double) values[i] * values[i];
    }
    return sum;
  }

  private AdapterException notFinite() {
    int first = 0;
    while (Float.isFinite(values[first])) {
      first++;
    }
    return new AdapterException(
        "weight ["
            + rows
            + ", "
            + columns
            + "]: expected finite values, found "
            + values[first]
            + " at ["
            + first / columns
            + ", "
            + first % columns
            + "]");
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  /** Returns the number of singular values. */
  int order() {
    return Math.min(rows, columns);
  }

  /** Returns the Frobenius norm after scaling. */
  double norm() {
    return norm;
  }

  /** Returns a length of the scaled weight in units of the weight itself. */
  double unscaled(double length) {
    return Math.scalb(length, exponent);
  }

  /** Tells whether {@link #tall} is the transposed weight: where it is square or wide. */
  boolean tallIsTransposed() {
    return rows <= columns;
  }

  /** Returns a copy with at least as many rows as columns: W, or W transposed. */
  Matrix tall(Workspace memory) {
    int length = Math.max(rows, columns);
    Matrix tall = memory.matrix(length, order());
    if (tallIsTransposed()) {
      copyRows(0, rows, tall);
    } else {
      double scale = Math.scalb(1.0, -exponent);
      strips(columns)
          .forEach(
              first -> {
                int count = Math.min(STRIP, columns - first);
                DoubleBuffer strip = tall.buffer(first, count);
                for (int row = 0; row < rows; row++) {
                  for (int i = 0; i < count; i++) {
                    strip.put(i * rows + row, values[row * columns + first + i] * scale);
                  }
                }
              });
    }
    return tall;
  }

  /** Copies rows of the weight into the first columns of a matrix. */
  private void copyRows(int firstRow, int count, Matrix target) {
    double scale = Math.scalb(1.0, -exponent);
    strips(count)
        .forEach(
            first -> {
              int start = (firstRow + first) * columns;
              DoubleBuffer strip = target.buffer(first, Math.min(STRIP, count - first));
              for (int i = 0; i < strip.capacity(); i++) {
                strip.put(i, values[start + i] * scale);
              }
            });
  }

  private static IntStream strips(int count) {
    return IntStream.rangeClosed(0, (count - 1) / STRIP).map(i -> i * STRIP).parallel();
  }

  /**
   * Computes both products with the weight at once, converting a few rows at a time.
   *
   * @param x [columns, n]
   * @param y [rows, n]
   * @param wx receives W x, [rows, n]
   * @param wty receives W' y, [columns, n]; zero before
   */
  void multiply(Matrix x, Matrix y, Matrix wx, Matrix wty) {
    int capacity = Math.min(rows, Math.max(STRIP, CHUNK_ELEMENTS / columns));
    try (Workspace memory = new Workspace()) {
      Matrix chunk = memory.matrix(columns, capacity);
      for (int row = 0; row < rows; row += capacity) {
        int count = Math.min(capacity, rows - row);
        copyRows(row, count, chunk);
        Matrix part = chunk.columns(0, count);
        Blas.multiply(1, part, true, x, false, 0, wx.part(row, 0, count, x.columns()));
        Blas.multiply(1, part, false, y.part(row, 0, count, y.columns()), false, 1, wty);
      }
    }
  }
}
