package io.github.urae.training.internal.data;

/**
 * How far training has come in the data. With the seed it tells all that follows: nothing is drawn
 * from a generator that would have to be kept.
 *
 * @param epoch times that all pictures were seen, from 0
 * @param index pictures of this epoch that were seen, from 0
 */
public record DataPosition(long epoch, int index) {

  /** Nothing seen. */
  public static final DataPosition START = new DataPosition(0, 0);

  /** Checks the ranges. */
  public DataPosition {
    if (epoch < 0 || index < 0) {
      throw new IllegalArgumentException(
          "expected a position from 0 on, got epoch " + epoch + ", index " + index);
    }
  }

  /** Returns the position after one picture more, of {@code size} in all. */
  DataPosition next(int size) {
    return index + 1 < size ? new DataPosition(epoch, index + 1) : new DataPosition(epoch + 1, 0);
  }
}
