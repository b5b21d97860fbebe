package io.github.urae.weights.internal.quantised;

import io.github.urae.FileFormatException;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.PieceBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * Plain elements of few bits, float8 or int8, each of which counts for itself times a scale.
 *
 * @param name what people call it, such as {@code "F8_E4M3 scaled"}
 * @param elements type of the stored elements, row-major, nothing between them
 * @param scales what they are multiplied by
 */
public record ScaledElements(String name, ElementType elements, Scales scales)
    implements WeightEncoding {

  /**
   * Returns the encoding of elements that are the values.
   *
   * @param type F8_E4M3 or F8_E5M2
   * @return the encoding, by the name of the type
   */
  static ScaledElements unscaled(ElementType type) {
    return new ScaledElements(type.name(), type, Scales.ONE);
  }

  /** {@inheritDoc} A product with a float32 needs all of it; float8 alone fits into bfloat16. */
  @Override
  public ElementType valueType() {
    return scales.equals(Scales.ONE) ? ElementType.BF16 : ElementType.F32;
  }

  @Override
  public List<TensorInfo> companions() {
    return scales.tensor().map(List::of).orElse(List.of());
  }

  @Override
  public Optional<WeightEncoding> ofRows(Shape shape, long first, long count) {
    return scales.ofRows(first, count).map(own -> new ScaledElements(name, elements, own));
  }

  @Override
  public long byteSize(Shape shape) {
    return elements.byteSize(shape.elementCount());
  }

  @Override
  public void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException {
    int elementBytes = elements.bits() / Byte.SIZE;
    int atOnce = Math.min(count, PieceBytes.SIZE / elementBytes);
    ByteBuffer stored = PieceBytes.ofThread();
    for (int done = 0; done < count; done += atOnce) {
      int piece = Math.min(atOnce, count - done);
      bytes.read(tensor, (first + done) * elementBytes, stored.clear().limit(piece * elementBytes));
      Elements.toFloats(elements, stored.flip(), target, offset + done, piece);
      checkFinite(tensor, first + done, target, offset + done, piece);
      scales.apply(bytes, first + done, target, offset + done, piece);
    }
  }

  /**
   * Float8 has no room to spare: a program that does not clip what is too large for it leaves NaN
   * or infinity, of which one in a weight makes every pixel black.
   */
  private static void checkFinite(
      TensorInfo tensor, long first, float[] values, int offset, int count) {
    for (int i = 0; i < count; i++) {
      // False for NaN as well.
      if (!(Math.abs(values[offset + i]) <= Float.MAX_VALUE)) {
        throw new FileFormatException(
            tensor.file()
                + ": tensor "
                + PrintableText.quoted(tensor.name())
                + ": element "
                + (first + i)
                + " is "
                + values[offset + i]
                + " in "
                + tensor.encoding().name()
                + "; what made the file did not clip large values: use another file of the model");
      }
    }
  }
}
