package io.github.urae.tensor;

import io.github.urae.tensor.internal.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;

/**
 * A typed, shaped, read-only view over bytes: row-major, little-endian, at most 2 GiB - 1 byte.
 *
 * <p>A tensor owns nothing. One that views a mapped file is valid until that file's owner is
 * closed; using it afterwards is undefined. Immutable and thread-safe where the bytes are not
 * changed underneath.
 */
public final class Tensor {

  private final ElementType type;
  private final Shape shape;
  private final ByteBuffer data;
  private final String origin;
  private final Runnable check;

  private Tensor(ElementType type, Shape shape, ByteBuffer data, String origin, Runnable check) {
    this.type = Objects.requireNonNull(type, "type");
    this.shape = Objects.requireNonNull(shape, "shape");
    this.origin = origin;
    this.check = check;
    long size = type.byteSize(shape.elementCount());
    if (data.remaining() != size) {
      throw new IllegalArgumentException(
          origin
              + ": "
              + type
              + shape
              + " takes "
              + size
              + " bytes, but "
              + data.remaining()
              + " are given");
    }
    this.data = data.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
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
    return new Tensor(type, shape, data, origin, () -> {});
  }

  /**
   * Views bytes that may go away, without a copy.
   *
   * @param type element type
   * @param shape dimensions
   * @param data as for {@link #view(ElementType, Shape, ByteBuffer, String)}
   * @param origin as for {@link #view(ElementType, Shape, ByteBuffer, String)}
   * @param check run whenever the bytes are asked for; throws if they are gone
   * @return the view
   * @throws IllegalArgumentException if the number of bytes does not fit
   */
  public static Tensor view(
      ElementType type, Shape shape, ByteBuffer data, String origin, Runnable check) {
    return new Tensor(type, shape, data, origin, check);
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
    return new Tensor(ElementType.F32, shape, data, "values", () -> {});
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
   * Returns the bytes.
   *
   * @return a new read-only little-endian view of all bytes; no copy
   * @throws io.github.urae.FileFormatException if the file underneath was cut short
   * @throws IllegalStateException if the file underneath is closed
   */
  public ByteBuffer data() {
    check.run();
    return data.duplicate().order(ByteOrder.LITTLE_ENDIAN);
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
    ByteBuffer part = data();
    part.position(Math.toIntExact(type.byteSize(first)));
    Elements.toFloats(type, part, target, offset, count);
  }

  /** Returns type, shape and origin; not the elements. */
  @Override
  public String toString() {
    return type.toString() + shape + " of " + origin;
  }
}
