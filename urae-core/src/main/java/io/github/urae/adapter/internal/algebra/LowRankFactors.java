package io.github.urae.adapter.internal.algebra;

/**
 * Factors of a low-rank product {@code B A}, kept in the way in which it is best multiplied.
 * Whoever holds them closes them, together with all their blocks of rows.
 */
public interface LowRankFactors extends AutoCloseable {

  /** Most rows of a block. */
  int MOST_ROWS = 32;

  /**
   * Returns memory for some rows of the weight, up to {@link #MOST_ROWS}; each of several threads
   * needs its own. Not thread-safe.
   */
  RowBlock newRows(int capacity);

  /** Frees the factors and all blocks, which must not be touched any more. */
  @Override
  void close();
}
