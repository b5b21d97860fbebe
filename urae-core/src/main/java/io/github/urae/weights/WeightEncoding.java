package io.github.urae.weights;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.internal.PlainElements;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * How a tensor lies in a file, and how its values are read from there: {@linkplain
 * #plain(ElementType) plain} elements, or anything else that gives floats, such as blocks of small
 * integers with a scale for each block, or elements whose scale is a tensor of its own.
 *
 * <p>Rows are those of the last dimension: [out, in] has {@code out} rows. Implementations are
 * immutable, thread-safe, and equal where they read alike.
 */
public interface WeightEncoding {

  /** The files' bytes, for encodings to read. Thread-safe. */
  interface StoredBytes {

    /**
     * Reads bytes in one go: the way for pieces from some kilobytes on.
     *
     * @param place the tensor itself or one of its {@linkplain #companions() companions}
     * @param position offset of the first byte within it
     * @param target filled from its position to its limit
     * @throws IOException if reading fails
     * @throws io.github.urae.FileFormatException if the file was cut short
     */
    void read(TensorInfo place, long position, ByteBuffer target) throws IOException;

    /**
     * Maps bytes: the way to look at a few here and there.
     *
     * @param place the tensor itself or one of its {@linkplain #companions() companions}
     * @param position offset of the first byte within it
     * @param length number of bytes
     * @return a read-only little-endian view
     * @throws io.github.urae.FileFormatException if the file was cut short
     */
    ByteBuffer map(TensorInfo place, long position, int length);
  }

  /**
   * Returns the encoding of plain elements: row-major, little-endian, nothing between them.
   *
   * @param type their type
   * @return the encoding
   */
  static WeightEncoding plain(ElementType type) {
    return new PlainElements(type);
  }

  /**
   * Returns the name that people know the encoding by.
   *
   * @return for messages, reports and cache keys, such as {@code "BF16"}
   */
  String name();

  /**
   * Returns the type of the values that reading gives.
   *
   * @return for plain elements their own type; otherwise the smallest type that holds every value
   *     of the encoding, mostly F32
   */
  ElementType valueType();

  /**
   * Tells whether the bytes at a tensor's place are its elements and nothing else.
   *
   * @return whether {@link TensorSource#tensor} can hand them out
   */
  default boolean isPlain() {
    return false;
  }

  /**
   * Returns how some of a tensor's rows are read as a tensor of their own, where each row lies in
   * bytes of its own: its place then begins behind those of the rows before, and ends before those
   * of the rows after. Rows are those of the first dimension here.
   *
   * @param shape dimensions of the whole tensor, one or more
   * @param first number of the first row
   * @param count number of rows
   * @return this encoding, one with a part of the {@linkplain #companions() companions}, or empty
   *     where rows share bytes or what belongs to them
   */
  default Optional<WeightEncoding> ofRows(Shape shape, long first, long count) {
    return Optional.empty();
  }

  /**
   * Returns the other tensors of the files without which one cannot be read, such as scales.
   *
   * @return none in most encodings
   */
  default List<TensorInfo> companions() {
    return List.of();
  }

  /**
   * Returns how many bytes a tensor takes at its own place, without companions.
   *
   * @param shape dimensions of the tensor
   * @return its size in bytes
   * @throws ArithmeticException if no tensor of this shape can be encoded so
   */
  long byteSize(Shape shape);

  /**
   * Reads values of a tensor.
   *
   * @param tensor a tensor in this encoding
   * @param bytes gives its bytes
   * @param first index of the first element, row-major
   * @param target receives the values
   * @param offset index of the first value in {@code target}
   * @param count number of elements, within the tensor
   * @throws IOException if reading fails
   * @throws io.github.urae.FileFormatException if the bytes break the encoding, or the file was cut
   *     short
   * @throws IllegalArgumentException if the {@linkplain #valueType() values} have no conversion to
   *     float32
   */
  void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException;
}
