package io.github.urae.weights.internal.quantised;

import io.github.urae.FileFormatException;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * What the elements of a matrix are multiplied by: one factor for all, and where there is a tensor
 * of scales, one of these for each rectangle of a grid. The matrix has the rows of the tensor's
 * first dimension.
 *
 * @param factor of all elements; finite
 * @param tensor the grid's scales, row-major, F32, F16, BF16 or F64; empty for one scale
 * @param rows height of a rectangle
 * @param columns width of a rectangle
 * @param gridColumns scales in a row of the grid
 */
public record Scales(
    float factor, Optional<TensorInfo> tensor, long rows, long columns, long gridColumns) {

  /** Elements are their values. */
  static final Scales ONE = of(1);

  /** Returns one factor for all elements. */
  static Scales of(float factor) {
    return new Scales(factor, Optional.empty(), 1, 1, 1);
  }

  /**
   * Returns a scale for each row.
   *
   * @param tensor as many as there are rows
   * @param columns length of a row
   * @param factor of all elements
   */
  static Scales ofRows(TensorInfo tensor, long columns, float factor) {
    return new Scales(factor, Optional.of(tensor), 1, columns, 1);
  }

  /**
   * Tells whether each row has one scale, so that a layer's outputs can be multiplied in place of
   * its weight.
   *
   * @return false for blocks within rows, or of several rows, and for one scale
   */
  public boolean areOfRows() {
    return tensor.isPresent() && rows == 1 && gridColumns == 1;
  }

  /**
   * Reads the factors of some of the grid's rectangles, with the factor of all multiplied in.
   *
   * @param bytes gives the scales
   * @param first index of the first one, row-major
   * @param target filled from its start
   * @param count how many; 1 where there is no tensor
   * @throws IOException if reading fails
   * @throws FileFormatException if one is no finite number, or the file was cut short
   */
  public void read(WeightEncoding.StoredBytes bytes, long first, float[] target, int count)
      throws IOException {
    if (tensor.isEmpty()) {
      target[0] = factor;
      return;
    }
    TensorInfo scales = tensor.get();
    int size = scales.type().bits() / Byte.SIZE;
    ByteBuffer stored =
        ByteBuffer.allocate(Math.multiplyExact(count, size)).order(ByteOrder.LITTLE_ENDIAN);
    bytes.read(scales, first * size, stored);
    Elements.toFloats(scales.type(), stored.flip(), target, 0, count);
    for (int i = 0; i < count; i++) {
      target[i] = checked(scales, first + i, target[i]) * factor;
    }
  }

  /**
   * Returns a scale that is a number.
   *
   * @throws FileFormatException if it is none
   */
  static float checked(TensorInfo scales, long index, float scale) {
    if (!Float.isFinite(scale)) {
      throw new FileFormatException(
          scales.file()
              + ": tensor "
              + PrintableText.quoted(scales.name())
              + ": scale "
              + index
              + ": expected a finite number, found "
              + scale
              + "; the file is damaged: download it again");
    }
    return scale;
  }

  /** Multiplies values of the matrix, from the element of number {@code first} on. */
  void apply(WeightEncoding.StoredBytes bytes, long first, float[] values, int offset, int count)
      throws IOException {
    if (tensor.isEmpty()) {
      if (factor != 1) {
        multiply(values, offset, count, factor);
      }
      return;
    }
    long width = columns * gridColumns;
    long gridRow = first / width / rows;
    long lastGridRow = (first + count - 1) / width / rows;
    long start = gridRow * gridColumns;
    float[] factors = new float[Math.toIntExact((lastGridRow + 1) * gridColumns - start)];
    read(bytes, start, factors, factors.length);
    int done = 0;
    while (done < count) {
      long row = (first + done) / width;
      long column = (first + done) % width;
      int run = (int) Math.min(count - done, columns - column % columns);
      float scale = factors[(int) (row / rows * gridColumns + column / columns - start)];
      multiply(values, offset + done, run, scale);
      done += run;
    }
  }

  private static void multiply(float[] values, int offset, int count, float factor) {
    for (int i = offset; i < offset + count; i++) {
      values[i] *= factor;
    }
  }

  /** Returns the scales of some rows; empty where these cut rectangles. */
  Optional<Scales> ofRows(long first, long count) {
    if (tensor.isEmpty()) {
      return Optional.of(this);
    }
    if (first % rows != 0 || count % rows != 0) {
      return Optional.empty();
    }
    TensorInfo all = tensor.get();
    return Optional.of(
        new Scales(
            factor,
            Optional.of(slice(all, first / rows * gridColumns, count / rows * gridColumns)),
            rows,
            columns,
            gridColumns));
  }

  /** Returns some elements of a plain tensor as a vector. */
  static TensorInfo slice(TensorInfo all, long first, long count) {
    ElementType type = all.type();
    return new TensorInfo(
        all.name(),
        all.encoding(),
        Shape.of(count),
        all.file(),
        all.offset() + type.byteSize(first),
        type.byteSize(count));
  }
}
