package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.LowRankFactors;
import io.github.urae.internal.ParallelBlocks;
import java.util.List;

/**
 * Updates of one weight of any kind, done in order to its rows, block by block on all processors.
 * For one caller at a time; not thread-safe. Owns the updates.
 */
final class RowUpdates implements AutoCloseable {

  /** Float32 elements that a thread works on at a time: half of a second cache. */
  private static final int BLOCK_ELEMENTS = 1 << 17;

  private final int columns;
  private final int blockRows;
  private final List<RowUpdate> updates;
  private final ParallelBlocks<List<RowUpdate.Worker>> workers;

  RowUpdates(int columns, List<RowUpdate> updates) {
    this.columns = columns;
    this.blockRows = Math.max(1, Math.min(LowRankFactors.MOST_ROWS, BLOCK_ELEMENTS / columns));
    this.updates = List.copyOf(updates);
    this.workers =
        new ParallelBlocks<>(() -> this.updates.stream().map(RowUpdate::newWorker).toList());
  }

  /**
   * Does the updates.
   *
   * @param firstRow the weight's number of the first row
   * @param count how many rows
   * @param values the rows from the beginning of the array on; changed in place
   */
  void applyInPlace(int firstRow, int count, float[] values) {
    workers.run(
        (count + blockRows - 1) / blockRows,
        (own, block) -> {
          int begin = block * blockRows;
          int size = Math.min(blockRows, count - begin);
          for (RowUpdate.Worker worker : own) {
            worker.apply(firstRow + begin, size, values, begin * columns);
          }
        });
  }

  /** Closes the updates. */
  @Override
  public void close() {
    updates.forEach(RowUpdate::close);
  }
}
