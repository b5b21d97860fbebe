package io.github.urae.adapter;

/**
 * Factors of a low-rank product {@code B A}, kept in the way in which it is best multiplied.
 * Whoever holds them closes them, together with all their blocks of rows.
 */
interface LowRankFactors extends AutoCloseable {

  /**
   * Returns memory for some rows of the weight; each of several threads needs its own. Not
   * thread-safe.
   */
  RowBlock newRows(int capacity);

  @Override
  void close();
}
