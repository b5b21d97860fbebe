package io.github.urae.tensor;

import io.github.urae.tensor.internal.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * A typed, shaped, read-only view over bytes: row-major, little-endian, of any size.
 *
 * <p>A tensor owns nothing. One that views a mapped file is valid until that file's owner is
 * closed; using it afterwards is undefined. Immutable and thread-safe where the bytes are not
 * changed underneath.
 */
public final class Tensor {

  /** Elements converted at once where a tensor is larger than a buffer. */
  private static final int PIECE = 1 << 24;

  /**
   * Bytes that do not lie in one buffer, since a Java buffer holds less than 2 GiB, or that may go
   * away. Implementations are thread-safe.
   */
  @FunctionalInterface
  public interface Bytes {

    /**
     * Returns some of the bytes.
     *
     * @param position of the first one within the tensor
     * @param length number of bytes, within the tensor
     * @return those bytes, from position to limit; a view where that is possible
     * @throws RuntimeException if the bytes are gone
     */
    ByteBuffer slice(long position, int length);
  }

  private final ElementType type;
  private final Shape shape;
  private final long byteSize;
  private final Bytes bytes;
  private final String origin;

  private Tensor(ElementType type, Shape shape, Bytes bytes, String origin) {
    this.type = Objects.requireNonNull(type, "type");
    this.shape = Objects.requireNonNull(shape, "shape");
    this.byteSize = type.byteSize(shape.elementCount());
    this.bytes = Objects.requireNonNull(bytes, "bytes");
    this.origin = origin;
  }

  /**
   * Views bytes as a tensor, without a copy.
   *
   * @param type element type
   * @param shape dimensions
   * @param data little-endian bytes from position to limit, exactly as many as type and shape take;
   *     neither is changed
   * @param origin where the bytes come from, for messages, such as {@code "model.safetensors: a.b"}
   * @return the view
   * @throws IllegalArgumentException if the number of bytes does not fit
   */
  public static Tensor view(ElementType type, Shape shape, ByteBuffer data, String origin) {
    ByteBuffer all = data.slice();
    Tensor tensor =
        new Tensor(type, shape, (position, length) -> all.slice((int) position, length), origin);
    if (all.remaining() != tensor.byteSize) {
      throw new IllegalArgumentException(
          origin
              + ": "
              + type
              + shape
              + " takes "
              + tensor.byteSize
              + " bytes, but "
              + all.remaining()
              + " are given");
    }
    return tensor;
  }

  /**
   * Views bytes as a tensor that may take 2 GiB and more, without a copy.
   *
   * @param type element type
   * @param shape dimensions
   * @param bytes little-endian, as many as type and shape take; asked whenever they are looked at
   * @param origin as for {@link #view(ElementType, Shape, ByteBuffer, String)}
   * @return the view
   */
  public static Tensor view(ElementType type, Shape shape, Bytes bytes, String origin) {
    return new Tensor(type, shape, bytes, origin);
  }

  /**
   * Creates a float32 tensor.
   *
   * @param values elements, row-major; copied
   * @param dimensions sizes, outermost first
   * @return a tensor with its own memory, outside the Java heap
   * @throws IllegalArgumentException if the number of values does not fit the dimensions
   */
  public static Tensor ofFloats(float[] values, long... dimensions) {
    Shape shape = Shape.of(dimensions);
    ByteBuffer data =
        ByteBuffer.allocateDirect(Math.multiplyExact(values.length, Float.BYTES))
            .order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    return view(ElementType.F32, shape, data, "values");
  }

  /**
   * Returns the element type.
   *
   * @return the type as stored
   */
  public ElementType type() {
    return type;
  }

  /**
   * Returns the dimensions.
   *
   * @return the shape
   */
  public Shape shape() {
    return shape;
  }

  /**
   * Returns how many bytes the elements take.
   *
   * @return their size in bytes
   */
  public long byteSize() {
    return byteSize;
  }

  /**
   * Returns the bytes.
   *
   * @return a new read-only little-endian view of all bytes; no copy
   * @throws IllegalStateException if they are more than a buffer holds, 2 GiB - 1: ask for
   *     {@linkplain #data(long, int) parts}; or if the file underneath is closed
   * @throws io.github.urae.FileFormatException if the file underneath was cut short
   */
  public ByteBuffer data() {
    if (byteSize > Integer.MAX_VALUE) {
      throw new IllegalStateException(
          this
              + " takes "
              + byteSize
              + " bytes, more than one Java buffer holds; take it in parts");
    }
    return data(0, (int) byteSize);
  }

  /**
   * Returns some of the bytes.
   *
   * @param position of the first one
   * @param length number of bytes
   * @return a new read-only little-endian view of them; no copy of a tensor in a file or in one
   *     buffer
   * @throws IndexOutOfBoundsException if the tensor ends before
   * @throws io.github.urae.FileFormatException if the file underneath was cut short
   * @throws IllegalStateException if the file underneath is closed
   */
  public ByteBuffer data(long position, int length) {
    Objects.checkFromIndexSize(position, length, byteSize);
    return bytes.slice(position, length).slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Returns where the bytes come from, for messages.
   *
   * @return file and name, or what the creator called it
   */
  public String origin() {
    return origin;
  }

  /**
   * Returns all elements as float32.
   *
   * @return a new array, row-major
   * @throws IllegalArgumentException if the type has no conversion to float32
   * @throws RuntimeException as for {@link #data()}
   */
  public float[] toFloats() {
    float[] values = new float[Math.toIntExact(shape.elementCount())];
    toFloats(0, values, 0, values.length);
    return values;
  }

  /**
   * Converts a range of elements to float32.
   *
   * @param first index of the first element, row-major
   * @param target receives the values
   * @param offset index of the first value in {@code target}
   * @param count number of elements
   * @throws IllegalArgumentException if the type has no conversion to float32
   * @throws RuntimeException as for {@link #data()}
   */
  public void toFloats(long first, float[] target, int offset, int count) {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      ByteBuffer stored = data(type.byteSize(first + done), Math.toIntExact(type.byteSize(piece)));
      Elements.toFloats(type, stored, target, offset + done, piece);
    }
  }

  /** Returns type, shape and origin; not the elements. */
  @Override
  public String toString() {
    return type.toString() + shape + " of " + origin;
  }
}
