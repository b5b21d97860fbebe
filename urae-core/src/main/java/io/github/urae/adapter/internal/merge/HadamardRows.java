package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.format.Change;
import java.util.Optional;

/** Rows of two matrices, multiplied element by element. */
final class HadamardRows implements ChangeRows {

  private final ChangeRows first;
  private final ChangeRows second;
  private final int columns;

  HadamardRows(Change.Hadamard change, Optional<DenseAlgebra> algebra) {
    first = ChangeRows.of(change.first(), algebra);
    second = ChangeRows.of(change.second(), algebra);
    columns = Math.toIntExact(change.inputs());
  }

  @Override
  public Reader newReader() {
    Reader one = first.newReader();
    Reader other = second.newReader();
    float[][] rows = {new float[0]};
    return (firstRow, count, target) -> {
      int size = count * columns;
      if (rows[0].length < size) {
        rows[0] = new float[size];
      }
      one.read(firstRow, count, target);
      other.read(firstRow, count, rows[0]);
      float[] factors = rows[0];
      for (int i = 0; i < size; i++) {
        target[i] *= factors[i];
      }
    };
  }

  @Override
  public void close() {
    first.close();
    second.close();
  }
}
