package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.HeapFactors;
import io.github.urae.adapter.internal.algebra.LowRankFactors;
import io.github.urae.adapter.internal.algebra.RowBlock;
import io.github.urae.adapter.internal.match.WeightUpdate;
import io.github.urae.internal.ParallelBlocks;
import java.util.List;
import java.util.Optional;

/**
 * The sum of {@code scale * B A} over several low-rank updates of one weight, ready to be added to
 * its rows. Accumulates in float32 and rounds once. Works on all processors for one caller at a
 * time; not thread-safe.
 */
final class LowRankProduct implements AutoCloseable {

  /** Float32 elements that a thread works on at a time: half of a second cache. */
  private static final int BLOCK_ELEMENTS = 1 << 17;

  private final int rows;
  private final int columns;
  private final int blockRows;
  private final LowRankFactors factors;

  private final ParallelBlocks<Worker> workers;

  private record Worker(RowCodec codec, RowBlock rows) {}

  /**
   * Gathers the updates' factors.
   *
   * @param split whether the weight's rows are kept split, see {@link RowCodec}
   * @param algebra multiplies; empty for plain Java
   */
  LowRankProduct(
      int rows,
      int columns,
      boolean split,
      Optional<DenseAlgebra> algebra,
      List<WeightUpdate.LowRank> updates) {
    this.rows = rows;
    this.columns = columns;
    this.blockRows = Math.max(1, Math.min(LowRankFactors.MOST_ROWS, BLOCK_ELEMENTS / columns));
    int rank = updates.stream().mapToInt(u -> u.change().rank()).sum();
    float[] down = new float[Math.multiplyExact(rank, columns)];
    float[] up = new float[Math.multiplyExact(rows, rank)];
    int first = 0;
    for (WeightUpdate.LowRank update : updates) {
      float[] a = update.change().down().toFloats();
      System.arraycopy(a, 0, down, first * columns, a.length);
      addUp(update, up, rank, first);
      first += update.change().rank();
    }
    if (split) {
      down = RowCodec.split(down, columns);
    }
    factors =
        algebra.isPresent()
            ? algebra.get().lowRankFactors(rows, columns, rank, down, up)
            : new HeapFactors(rows, columns, rank, down, up);
    workers =
        new ParallelBlocks<>(
            () -> new Worker(new RowCodec(columns, split), factors.newRows(blockRows)));
  }

  /** B, times its scale. */
  private static void addUp(WeightUpdate.LowRank update, float[] up, int stride, int first) {
    int rank = update.change().rank();
    float[] values = new float[Math.multiplyExact(Math.toIntExact(update.rows()), rank)];
    update.change().up().readRows(update.moduleRow(), Math.toIntExact(update.rows()), values);
    for (int row = 0; row < update.rows(); row++) {
      int target = (Math.toIntExact(update.weightRow()) + row) * stride + first;
      for (int k = 0; k < rank; k++) {
        up[target + k] = (float) (update.scale() * values[row * rank + k]);
      }
    }
  }

  /**
   * Adds this product to some rows of a stored weight.
   *
   * @param firstRow number of the first row that the buffers hold
   * @param count number of rows
   * @param source the rows as stored; unchanged
   * @param target receives the changed rows
   */
  void addTo(int firstRow, int count, RowCodec.Stored source, RowCodec.Stored target) {
    inBlocks(
        firstRow,
        count,
        (worker, row, i) -> worker.codec.read(source, row, worker.rows, i),
        (worker, row, i) -> worker.codec.write(worker.rows, i, target, row));
  }

  /** Adds this product, which must not be split, to a weight in float32: [rows, columns]. */
  void addInPlace(float[] weight) {
    inBlocks(
        0,
        rows,
        (worker, row, i) -> worker.rows.putFloats(i, weight, row * columns),
        (worker, row, i) -> worker.rows.getFloats(i, weight, row * columns));
  }

  private interface RowTask {
    void run(Worker worker, int row, int blockRow);
  }

  private void inBlocks(int firstRow, int count, RowTask read, RowTask write) {
    workers.run(
        (count + blockRows - 1) / blockRows,
        (worker, block) -> {
          int begin = block * blockRows;
          int size = Math.min(blockRows, count - begin);
          for (int i = 0; i < size; i++) {
            read.run(worker, begin + i, i);
          }
          worker.rows.add(firstRow + begin, size);
          for (int i = 0; i < size; i++) {
            write.run(worker, begin + i, i);
          }
        });
  }

  @Override
  public void close() {
    factors.close();
  }
}
