package io.github.urae.openblas.internal;

import io.github.urae.adapter.internal.algebra.HeapFactors;
import io.github.urae.adapter.internal.algebra.LowRankFactors;
import io.github.urae.adapter.internal.algebra.RowBlock;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * Factors in native memory, multiplied by OpenBLAS: about twice as fast as {@link HeapFactors}.
 *
 * <p>Products are kept so small that OpenBLAS computes each on the calling thread and, on
 * processors for which it has such, by its kernel for small matrices, which rearranges nothing
 * beforehand.
 */
final class NativeFactors implements LowRankFactors {

  /** Columns of one product: with the depth and the most rows, 262144 multiplications. */
  private static final int COLUMNS = 512;

  /** Rows of A in one product. */
  private static final int DEPTH = 16;

  private final Workspace memory = new Workspace();
  private final int columns;
  private final int rank;
  private final FloatMatrix down;
  private final FloatMatrix up;

  /**
   * @param down A, [rank, columns], row-major
   * @param up B, [rows, rank], row-major
   */
  NativeFactors(int rows, int columns, int rank, float[] down, float[] up) {
    this.columns = columns;
    this.rank = rank;
    try {
      this.down = memory.floatMatrix(rank, columns);
      this.down.floats().put(0, down);
      this.up = memory.floatMatrix(rows, rank);
      this.up.floats().put(0, up);
    } catch (Throwable e) {
      memory.close();
      throw e;
    }
  }

  @Override
  public RowBlock newRows(int capacity) {
    return new Rows(memory.floatMatrix(capacity, columns));
  }

  @Override
  public void close() {
    memory.close();
  }

  private final class Rows implements RowBlock {

    private final FloatMatrix sums;
    private final FloatBuffer floats;
    private final IntBuffer bits;

    private Rows(FloatMatrix sums) {
      this.sums = sums;
      floats = sums.floats();
      bits = sums.bits();
    }

    @Override
    public void putFloats(int row, float[] values, int offset) {
      floats.put(row * columns, values, offset, columns);
    }

    @Override
    public void getFloats(int row, float[] values, int offset) {
      floats.get(row * columns, values, offset, columns);
    }

    @Override
    public void putBits(int row, int[] first, int[] second) {
      bits.put(row * columns, first).put(row * columns + first.length, second);
    }

    @Override
    public void getBits(int row, int[] first, int[] second) {
      bits.get(row * columns, first).get(row * columns + first.length, second);
    }

    @Override
    public void add(int firstRow, int count) {
      for (int column = 0; column < columns; column += COLUMNS) {
        int width = Math.min(COLUMNS, columns - column);
        for (int k = 0; k < rank; k += DEPTH) {
          int depth = Math.min(DEPTH, rank - k);
          Blas.addProduct(
              up.part(firstRow, k, count, depth),
              down.part(k, column, depth, width),
              sums.part(0, column, count, width));
        }
      }
    }
  }
}
