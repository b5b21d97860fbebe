package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.format.Change;
import java.util.Optional;

/** Rows of a Kronecker product: those of its right factor, times the values of its left one. */
final class KroneckerRows implements ChangeRows {

  private final float[] left;
  private final int leftColumns;
  private final ChangeRows right;
  private final int rightRows;
  private final int rightColumns;

  KroneckerRows(Change.Kronecker change, Optional<DenseAlgebra> algebra) {
    int leftRows = Math.toIntExact(change.left().rows());
    leftColumns = Math.toIntExact(change.left().columns());
    rightRows = Math.toIntExact(change.right().rows());
    rightColumns = Math.toIntExact(change.right().columns());
    left = new float[Math.multiplyExact(leftRows, leftColumns)];
    try (ChangeRows rows = ChangeRows.of(change.left(), Optional.empty())) {
      rows.newReader().read(0, leftRows, left);
    }
    right = ChangeRows.of(change.right(), algebra);
  }

  @Override
  public Reader newReader() {
    Reader reader = right.newReader();
    float[][] rows = {new float[0]};
    return (first, count, target) -> {
      int done = 0;
      while (done < count) {
        int rightRow = (first + done) % rightRows;
        int size = Math.min(count - done, rightRows - rightRow);
        if (rows[0].length < size * rightColumns) {
          rows[0] = new float[size * rightColumns];
        }
        reader.read(rightRow, size, rows[0]);
        int leftStart = (first + done) / rightRows * leftColumns;
        for (int row = 0; row < size; row++) {
          int start = (done + row) * leftColumns * rightColumns;
          for (int column = 0; column < leftColumns; column++) {
            multiply(
                rows[0],
                row * rightColumns,
                left[leftStart + column],
                target,
                start + column * rightColumns,
                rightColumns);
          }
        }
        done += size;
      }
    };
  }

  private static void multiply(
      float[] source, int from, float factor, float[] target, int to, int count) {
    for (int i = 0; i < count; i++) {
      target[to + i] = factor * source[from + i];
    }
  }

  @Override
  public void close() {
    right.close();
  }
}
