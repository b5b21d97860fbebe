package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.MinorFactors;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.match.WeightUpdate;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * All updates of a weight as one product of two matrices, exactly: {@code W' = W + B A}, where B
 * [rows, rank] and A [rank, columns] hold those of the updates side by side, with their scales in
 * A. Minor components take their rank twice, since those that were there are taken away.
 */
public final class LowRankSum {

  private final float[] down;
  private final float[] up;
  private final int rank;

  private LowRankSum(int rows, int columns, int rank) {
    this.down = new float[Math.multiplyExact(rank, columns)];
    this.up = new float[Math.multiplyExact(rows, rank)];
    this.rank = rank;
  }

  /** Finds minor components of a weight. */
  @FunctionalInterface
  public interface MinorComponents {

    /**
     * Finds them.
     *
     * @param before the updates that were done to the weight already
     * @param count how many
     * @return the smallest ones
     * @throws IOException if the weight cannot be read
     */
    MinorFactors of(List<WeightUpdate> before, int count) throws IOException;
  }

  /**
   * Returns the rank of a weight's updates in this form.
   *
   * @param updates in order
   * @return the sum of all ranks, 0 for none; empty if one of them has no {@link LowRankForm}
   */
  public static OptionalInt rank(List<WeightUpdate> updates) {
    int sum = 0;
    for (WeightUpdate update : updates) {
      Optional<Integer> own = LowRankForm.rank(update.module());
      if (own.isEmpty()) {
        return OptionalInt.empty();
      }
      sum = Math.addExact(sum, (update instanceof WeightUpdate.Minor ? 2 : 1) * own.get());
    }
    return OptionalInt.of(sum);
  }

  /**
   * Computes the matrices.
   *
   * @param updates in order, of which there is a {@link #rank}
   * @param rows of the weight
   * @param columns of the weight
   * @param minor finds the components that are replaced
   * @return URAE's order: what is removed, what was trained in its place, what was there before
   * @throws IOException if the weight cannot be read
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  public static LowRankSum of(
      List<WeightUpdate> updates, int rows, int columns, MinorComponents minor) throws IOException {
    LowRankSum sum = new LowRankSum(rows, columns, rank(updates).orElseThrow());
    int next = 0;
    for (int i = 0; i < updates.size(); i++) {
      if (updates.get(i) instanceof WeightUpdate.Minor trained) {
        int own = trained.change().rank();
        MinorFactors now = minor.of(updates.subList(0, i), own);
        sum.put(next, now.a, now.b, 0, 0, rows, -trained.scale());
        float[] a = trained.change().down().toFloats();
        float[] b = trained.change().up().toFloats();
        sum.put(next + own, a, b, 0, 0, rows, trained.scale());
        next += 2 * own;
      }
    }
    for (WeightUpdate update : updates) {
      if (update instanceof WeightUpdate.LowRank low) {
        sum.put(next, low.change(), low.moduleRow(), low.weightRow(), low.rows(), low.scale());
        next += low.change().rank();
      } else if (update instanceof WeightUpdate.General general) {
        Change.LowRank change = LowRankForm.of(general.module().change());
        sum.put(
            next,
            change,
            general.moduleRow(),
            general.weightRow(),
            general.rows(),
            general.scale() * change.scale());
        next += change.rank();
      }
    }
    return sum;
  }

  private void put(
      int first, Change.LowRank change, long upRow, long weightRow, long rows, double scale) {
    put(
        first,
        change.down().toFloats(),
        change.up().toFloats(),
        Math.toIntExact(upRow),
        Math.toIntExact(weightRow),
        Math.toIntExact(rows),
        scale);
  }

  /** Puts one pair of matrices beside those that are there. */
  private void put(
      int first, float[] a, float[] b, int upRow, int weightRow, int rows, double scale) {
    if (rank == 0) {
      return;
    }
    int columns = down.length / rank;
    int own = a.length / columns;
    for (int i = 0; i < a.length; i++) {
      down[first * columns + i] = (float) (scale * a[i]);
    }
    for (int row = 0; row < rows; row++) {
      System.arraycopy(b, (upRow + row) * own, up, (weightRow + row) * rank + first, own);
    }
  }

  /** Returns A, [rank, columns], row-major; the caller owns it. */
  public float[] down() {
    return down;
  }

  /** Returns B, [rows, rank], row-major; the caller owns it. */
  public float[] up() {
    return up;
  }
}
