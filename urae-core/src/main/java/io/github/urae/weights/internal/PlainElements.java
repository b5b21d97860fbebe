package io.github.urae.weights.internal;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Elements of one type, row-major, little-endian, nothing between them.
 *
 * @param type their type
 */
public record PlainElements(ElementType type) implements WeightEncoding {

  /** As of any record, but without what Java would put together for it at each start. */
  @Override
  public boolean equals(Object other) {
    return other instanceof PlainElements that && type == that.type;
  }

  @Override
  public int hashCode() {
    return type.hashCode();
  }

  @Override
  public String name() {
    return type.name();
  }

  @Override
  public ElementType valueType() {
    return type;
  }

  @Override
  public boolean isPlain() {
    return true;
  }

  @Override
  public Optional<WeightEncoding> ofRows(Shape shape, long first, long count) {
    return Optional.of(this);
  }

  @Override
  public long byteSize(Shape shape) {
    return type.byteSize(shape.elementCount());
  }

  @Override
  public void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException {
    if (!type.isConvertible()) {
      throw new IllegalArgumentException(tensor + ": has no conversion to float32");
    }
    int elementBytes = type.bits() / Byte.SIZE;
    int atOnce = Math.min(count, PieceBytes.SIZE / elementBytes);
    ByteBuffer stored = PieceBytes.ofThread();
    for (int done = 0; done < count; done += atOnce) {
      int piece = Math.min(atOnce, count - done);
      bytes.read(tensor, (first + done) * elementBytes, stored.clear().limit(piece * elementBytes));
      Elements.toFloats(type, stored.flip(), target, offset + done, piece);
    }
  }
}
