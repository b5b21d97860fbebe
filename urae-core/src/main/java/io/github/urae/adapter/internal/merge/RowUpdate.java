package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.Magnitude;
import io.github.urae.adapter.internal.match.WeightUpdate;
import java.util.Optional;

/**
 * One update of a weight, done to a few of its rows at a time. A row depends on no other row: what
 * is needed of whole columns was computed before. Thread-safe, but each thread needs a worker.
 */
final class RowUpdate implements AutoCloseable {

  private final ChangeRows change;
  private final boolean replaces;
  private final double changeScale;
  private final double scale;
  private final int weightRow;
  private final int moduleRow;
  private final int rows;
  private final int columns;
  private final Optional<float[]> rowLengths;
  private final Optional<float[]> columnFactors;

  /** Adds {@code scale * B A}. */
  RowUpdate(WeightUpdate.LowRank update, int columns, ChangeRows change) {
    this.change = change;
    this.replaces = false;
    this.changeScale = update.scale();
    this.scale = 1;
    this.weightRow = Math.toIntExact(update.weightRow());
    this.moduleRow = Math.toIntExact(update.moduleRow());
    this.rows = Math.toIntExact(update.rows());
    this.columns = columns;
    this.rowLengths = Optional.empty();
    this.columnFactors = Optional.empty();
  }

  /**
   * Does any other update.
   *
   * @param columnFactors what columns are multiplied by after the change: for magnitudes of columns
   */
  RowUpdate(
      WeightUpdate.General update,
      int columns,
      ChangeRows change,
      Optional<float[]> columnFactors) {
    Optional<Magnitude> magnitude = update.module().magnitude();
    boolean plain =
        magnitude.isEmpty() && !(update.module().change() instanceof Change.Replacement);
    this.change = change;
    this.replaces = update.module().change() instanceof Change.Replacement;
    this.changeScale = update.module().change().scale() * (plain ? update.scale() : 1);
    this.scale = plain ? 1 : update.scale();
    this.weightRow = Math.toIntExact(update.weightRow());
    this.moduleRow = Math.toIntExact(update.moduleRow());
    this.rows = Math.toIntExact(update.rows());
    this.columns = columns;
    this.rowLengths = magnitude.filter(m -> !m.ofColumns()).map(m -> m.lengths().toFloats());
    this.columnFactors = columnFactors;
  }

  /** Returns a worker for one thread. */
  Worker newWorker() {
    return new Worker();
  }

  /** Does the update on one thread. */
  final class Worker {

    private final ChangeRows.Reader reader = change.newReader();
    private float[] changed = {};

    /**
     * Updates those of some rows that the update is for.
     *
     * @param firstRow the weight's number of the first row
     * @param count how many rows
     * @param values the rows, changed in place
     * @param offset where they begin
     */
    void apply(int firstRow, int count, float[] values, int offset) {
      int begin = Math.max(firstRow, weightRow);
      int size = Math.min(firstRow + count, weightRow + rows) - begin;
      if (size <= 0) {
        return;
      }
      if (changed.length < size * columns) {
        changed = new float[size * columns];
      }
      reader.read(moduleRow + begin - weightRow, size, changed);
      for (int i = 0; i < size; i++) {
        update(
            moduleRow + begin - weightRow + i,
            i * columns,
            values,
            offset + (begin - firstRow + i) * columns);
      }
    }

    private void update(int row, int from, float[] values, int to) {
      if (replaces) {
        move(values, to, changed, from);
        return;
      }
      if (rowLengths.isEmpty() && columnFactors.isEmpty()) {
        add(values, to, changed, from, values, to);
        return;
      }
      add(values, to, changed, from, changed, from);
      if (rowLengths.isPresent()) {
        double length = Math.sqrt(square(changed, from));
        multiply(changed, from, length == 0 ? 0 : rowLengths.get()[row] / length);
      } else {
        float[] factors = columnFactors.get();
        for (int i = 0; i < columns; i++) {
          changed[from + i] *= factors[i];
        }
      }
      move(values, to, changed, from);
    }

    /** Adds a row of the change to one of the weight. */
    private void add(float[] one, int at, float[] other, int from, float[] sum, int to) {
      float factor = (float) changeScale;
      for (int i = 0; i < columns; i++) {
        sum[to + i] = Math.fma(factor, other[from + i], one[at + i]);
      }
    }

    private double square(float[] row, int from) {
      double sum = 0;
      for (int i = 0; i < columns; i++) {
        sum += (double) row[from + i] * row[from + i];
      }
      return sum;
    }

    private void multiply(float[] row, int from, double factor) {
      for (int i = 0; i < columns; i++) {
        row[from + i] = (float) (factor * row[from + i]);
      }
    }

    /** Brings a row towards another one as far as the scale says; at 1 all the way. */
    private void move(float[] row, int to, float[] other, int from) {
      if (scale == 1) {
        System.arraycopy(other, from, row, to, columns);
        return;
      }
      for (int i = 0; i < columns; i++) {
        double before = row[to + i];
        row[to + i] = (float) (before + scale * (other[from + i] - before));
      }
    }
  }

  @Override
  public void close() {
    change.close();
  }
}
