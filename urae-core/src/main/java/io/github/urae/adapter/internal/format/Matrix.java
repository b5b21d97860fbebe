package io.github.urae.adapter.internal.format;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;

/**
 * A tensor taken as a matrix, row-major: a vector is a column, and a convolution of size 1 the
 * linear layer that it is.
 *
 * @param tensor the values as stored
 * @param rows number of rows
 * @param columns number of columns
 */
public record Matrix(Tensor tensor, long rows, long columns) {

  /** Values that are looked at at once. */
  private static final int PIECE = 1 << 16;

  /**
   * Makes a matrix of values.
   *
   * @param values row-major; copied
   */
  public static Matrix of(float[] values, int rows, int columns) {
    return new Matrix(Tensor.ofFloats(values, rows, columns), rows, columns);
  }

  /** Returns all values in a new array, row-major. */
  public float[] toFloats() {
    return tensor.toFloats();
  }

  /**
   * Reads rows.
   *
   * @param first number of the first one
   * @param count how many
   * @param target receives them, from its beginning
   */
  public void readRows(long first, int count, float[] target) {
    tensor.toFloats(first * columns, target, 0, Math.toIntExact(count * columns));
  }

  /** Tells whether all values are zero. */
  public boolean isZero() {
    float[] values = new float[(int) Math.min(PIECE, tensor.shape().elementCount())];
    for (long first = 0; first < tensor.shape().elementCount(); first += PIECE) {
      int count = (int) Math.min(PIECE, tensor.shape().elementCount() - first);
      tensor.toFloats(first, values, 0, count);
      for (int i = 0; i < count; i++) {
        if (values[i] != 0) {
          return false;
        }
      }
    }
    return true;
  }

  /** Returns the type of the stored values. */
  public ElementType type() {
    return tensor.type();
  }
}
