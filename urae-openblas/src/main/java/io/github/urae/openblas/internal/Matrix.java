package io.github.urae.openblas.internal;

import static org.bytedeco.openblas.global.openblas.LAPACKE_dlacpy;
import static org.bytedeco.openblas.global.openblas.LAPACK_COL_MAJOR;
import static org.bytedeco.openblas.global.openblas.cblas_dnrm2;

import java.nio.DoubleBuffer;
import org.bytedeco.javacpp.DoublePointer;

/** A matrix in native memory, by columns; or part of one, sharing its memory. */
final class Matrix {

  final DoublePointer data;
  final int rows;
  final int columns;
  final int stride;

  Matrix(DoublePointer data, int rows, int columns, int stride) {
    this.data = data;
    this.rows = rows;
    this.columns = columns;
    // Also an empty matrix must have a stride, or BLAS complains.
    this.stride = Math.max(1, stride);
  }

  int rows() {
    return rows;
  }

  int columns() {
    return columns;
  }

  /** Returns a part, sharing memory. */
  Matrix part(int firstRow, int firstColumn, int partRows, int partColumns) {
    DoublePointer start = data.getPointer((long) firstColumn * stride + firstRow);
    return new Matrix(start, partRows, partColumns, stride);
  }

  /** Returns whole columns, sharing memory. */
  Matrix columns(int first, int count) {
    return part(0, first, rows, count);
  }

  /**
   * Returns the memory of whole columns of a matrix that is not a part of another: a view, not to
   * be touched once the workspace is closed.
   */
  DoubleBuffer buffer(int firstColumn, int count) {
    DoublePointer start = data.getPointer((long) firstColumn * rows);
    return start.capacity((long) count * rows).asBuffer();
  }

  /** Overwrites whole columns. */
  void put(int firstColumn, double[] values) {
    for (int column = 0; column < values.length / rows; column++) {
      data.getPointer((long) (firstColumn + column) * stride).put(values, column * rows, rows);
    }
  }

  /** Overwrites this with another matrix of the same size. */
  Matrix copy(Matrix source) {
    return copy(source, 'A');
  }

  /** Overwrites this upper triangle with another's; what is below the diagonal stays. */
  Matrix copyUpper(Matrix source) {
    return copy(source, 'U');
  }

  private Matrix copy(Matrix source, char what) {
    Lapack.check(
        "dlacpy",
        LAPACKE_dlacpy(
            LAPACK_COL_MAJOR,
            (byte) what,
            rows,
            columns,
            source.data,
            source.stride,
            data,
            stride));
    return this;
  }

  /** Overwrites this with the transpose of another matrix. */
  void putTransposed(Matrix source) {
    double[] elements = source.toArray();
    double[] transposed = new double[elements.length];
    for (int i = 0; i < elements.length; i++) {
      transposed[i % source.rows * rows + i / source.rows] = elements[i];
    }
    put(0, transposed);
  }

  /** Returns the elements by columns, in a new array. */
  double[] toArray() {
    double[] values = new double[Math.multiplyExact(rows, columns)];
    for (int column = 0; column < columns; column++) {
      data.getPointer((long) column * stride).get(values, column * rows, rows);
    }
    return values;
  }

  /** Returns the columns' Euclidean norms. */
  double[] columnNorms() {
    double[] norms = new double[columns];
    for (int column = 0; column < columns; column++) {
      norms[column] = cblas_dnrm2(rows, data.getPointer((long) column * stride), 1);
    }
    return norms;
  }

  /** Returns the diagonal. */
  double[] diagonal() {
    double[] values = new double[Math.min(rows, columns)];
    for (int i = 0; i < values.length; i++) {
      values[i] = data.get((long) i * stride + i);
    }
    return values;
  }

  void setDiagonal(int index, double value) {
    data.put((long) index * stride + index, value);
  }
}
