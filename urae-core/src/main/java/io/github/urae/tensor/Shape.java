package io.github.urae.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The dimensions of a tensor, outermost first. Immutable; a scalar has rank 0. */
public final class Shape {

  private final long[] dimensions;
  private final long elementCount;

  private Shape(long[] dimensions) {
    long count = 1;
    boolean empty = false;
    for (long dimension : dimensions) {
      if (dimension < 0) {
        throw new IllegalArgumentException(
            "negative dimension in shape " + Arrays.toString(dimensions));
      }
      empty |= dimension == 0;
    }
    // A zero makes the product zero, whatever the others are: they must not overflow first.
    for (int i = 0; i < dimensions.length && !empty; i++) {
      count = Math.multiplyExact(count, dimensions[i]);
    }
    this.dimensions = dimensions;
    this.elementCount = empty ? 0 : count;
  }

  /**
   * Creates a shape.
   *
   * @param dimensions sizes, each at least 0, outermost first; copied
   * @return the shape
   * @throws IllegalArgumentException if a dimension is negative
   * @throws ArithmeticException if the number of elements exceeds a {@code long}
   */
  public static Shape of(long... dimensions) {
    return new Shape(dimensions.clone());
  }

  /**
   * Returns the number of dimensions.
   *
   * @return the rank, 0 for a scalar
   */
  public int rank() {
    return dimensions.length;
  }

  /**
   * Returns one dimension.
   *
   * @param axis 0 for the outermost; negative counts from the innermost, -1 being the last
   * @return its size
   */
  public long dimension(int axis) {
    return dimensions[axis < 0 ? dimensions.length + axis : axis];
  }

  /**
   * Returns the number of elements.
   *
   * @return the product of all dimensions, 1 for a scalar
   */
  public long elementCount() {
    return elementCount;
  }

  /**
   * Returns all dimensions.
   *
   * @return a new array, outermost first
   */
  public long[] toArray() {
    return dimensions.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(dimensions, shape.dimensions);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dimensions);
  }

  /** Returns the dimensions as in {@code [3072, 64]}. */
  @Override
  public String toString() {
    return Arrays.stream(dimensions)
        .mapToObj(Long::toString)
        .collect(Collectors.joining(", ", "[", "]"));
  }
}
