package io.github.urae.adapter.internal.algebra;

/**
 * A few rows of a weight in float32, to which a low-rank product is added. Whether a row's columns
 * are in their own order or the even ones before the odd ones is for the caller to know: the
 * product's factors must be in the same. Not thread-safe.
 */
public interface RowBlock {

  /** Overwrites a row with {@code columns} values from an array. */
  void putFloats(int row, float[] values, int offset);

  /** Copies a row into an array. */
  void getFloats(int row, float[] values, int offset);

  /** Overwrites a row, given as the bits of float32: its first half, then its second. */
  void putBits(int row, int[] first, int[] second);

  /** Copies the bits of a row into two arrays. */
  void getBits(int row, int[] first, int[] second);

  /**
   * Adds rows of the product.
   *
   * @param firstRow the product's row for the first row here
   * @param count rows to add to, from the first
   */
  void add(int firstRow, int count);
}
