package io.github.urae.weights;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.nio.file.Path;

/**
 * Where a stored tensor lies and what it is.
 *
 * @param name name in the file, for instance {@code transformer_blocks.0.attn.to_q.weight}
 * @param encoding how its bytes are to be read
 * @param shape dimensions, outermost first
 * @param file the file that holds the bytes
 * @param offset position of the first byte in that file; not necessarily aligned
 * @param length number of bytes
 */
public record TensorInfo(
    String name, WeightEncoding encoding, Shape shape, Path file, long offset, long length) {

  /**
   * Returns the type of the tensor's values, which is that of the stored elements if {@linkplain
   * WeightEncoding#isPlain() these are plain}.
   *
   * @return the encoding's {@link WeightEncoding#valueType()}
   */
  public ElementType type() {
    return encoding.valueType();
  }

  /**
   * Tells whether the stored bytes are elements of a type and nothing else.
   *
   * @param type an element type
   * @return whether they can be used as such where they lie
   */
  public boolean isPlain(ElementType type) {
    return encoding.isPlain() && encoding.valueType() == type;
  }

  /**
   * Returns the length of a row.
   *
   * @return the last dimension; 1 for a scalar
   */
  public long columns() {
    return shape.rank() == 0 ? 1 : shape.dimension(-1);
  }

  /** As of any record, but without what Java would put together for it at each start. */
  @Override
  public boolean equals(Object other) {
    return other instanceof TensorInfo that
        && offset == that.offset
        && length == that.length
        && name.equals(that.name)
        && encoding.equals(that.encoding)
        && shape.equals(that.shape)
        && file.equals(that.file);
  }

  @Override
  public int hashCode() {
    return 31 * name.hashCode() + Long.hashCode(offset);
  }

  /** Returns the tensor as in {@code a.weight BF16[8, 4] of model.safetensors}. */
  @Override
  public String toString() {
    return name + " " + encoding.name() + shape + " of " + file;
  }
}
