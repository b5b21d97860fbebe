package io.github.urae.adapter.internal.merge;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * Rows of a base weight as elements of its type: where they lie if they are plain, otherwise read
 * as floats and rounded to the type that holds them all. Not thread-safe.
 */
final class BaseRows {

  private final TensorSource base;
  private final TensorInfo info;
  private final Optional<Tensor> plain;
  private final ElementType type;
  private float[] values = {};
  private ByteBuffer copy = ByteBuffer.allocate(0);

  BaseRows(TensorSource base, TensorInfo info) throws IOException {
    this.base = base;
    this.info = info;
    this.plain =
        info.encoding().isPlain() ? Optional.of(base.tensor(info.name())) : Optional.empty();
    // bfloat16 loses nothing of bfloat16, and is merged faster.
    boolean asItIs = plain.isPresent() || info.type() == ElementType.BF16;
    this.type = asItIs ? info.type() : ElementType.F32;
  }

  /** Returns the type of the elements that reading gives; it holds every value of the weight. */
  ElementType type() {
    return type;
  }

  /**
   * Reads rows.
   *
   * @return their elements, valid until the next call
   */
  ByteBuffer read(long firstRow, int rows) throws IOException {
    int count = Math.toIntExact(rows * info.columns());
    int size = Math.toIntExact(type.byteSize(count));
    if (plain.isPresent()) {
      return plain.get().data(type.byteSize(firstRow * info.columns()), size);
    }
    if (values.length < count) {
      values = new float[count];
      copy = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN);
    }
    base.readRows(info.name(), firstRow, rows, values, 0);
    Elements.fromFloats(type, values, 0, count, copy.clear());
    return copy.flip();
  }
}
