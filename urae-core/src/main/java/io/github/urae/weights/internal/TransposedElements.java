package io.github.urae.weights.internal;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.nio.ByteBuffer;

/**
 * A matrix whose transpose is stored, row-major: a weight [out, in] that an ONNX exporter turned to
 * [in, out].
 *
 * @param type type of the stored elements
 */
public record TransposedElements(ElementType type) implements WeightEncoding {

  /** Values of a stored row that are converted at once: a few lines of the cache. */
  private static final int TILE = 256;

  /** Stored rows that are brought into columns together: a line of the target's cache. */
  private static final int STRIP = 16;

  /** Mapped at once. */
  private static final long SPAN_BYTES = 1 << 28;

  @Override
  public String name() {
    return type + " transposed";
  }

  @Override
  public ElementType valueType() {
    return type;
  }

  @Override
  public long byteSize(Shape shape) {
    return type.byteSize(shape.elementCount());
  }

  @Override
  public void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count) {
    long columns = tensor.shape().dimension(1);
    long end = first + count;
    long at = first;
    while (at < end) {
      int place = (int) (offset + at - first);
      long row = at / columns;
      long column = at % columns;
      // Whole rows in tiles, so that both sides stay in the cache; else what is asked for of a row.
      int rows = column == 0 ? (int) Math.min(TILE, (end - at) / columns) : 0;
      int width = (int) Math.min(columns - column, end - at);
      block(tensor, bytes, row, Math.max(1, rows), column, width, target, place);
      at += (long) Math.max(1, rows) * width;
    }
  }

  /** Reads a block of values, {@code rows} times {@code width}, to rows that follow one another. */
  private void block(
      TensorInfo tensor,
      StoredBytes bytes,
      long row,
      int rows,
      long column,
      int width,
      float[] target,
      int offset) {
    long storedRowBytes = type.byteSize(tensor.shape().dimension(0));
    int atOnce = (int) Math.min(width, Math.max(1, SPAN_BYTES / storedRowBytes));
    float[] values = new float[STRIP * rows];
    for (int done = 0; done < width; done += atOnce) {
      int span = Math.min(atOnce, width - done);
      ByteBuffer stored =
          bytes.map(
              tensor,
              (column + done) * storedRowBytes + type.byteSize(row),
              Math.toIntExact((span - 1) * storedRowBytes + type.byteSize(rows)));
      for (int i = 0; i < span; i += STRIP) {
        int strip = Math.min(STRIP, span - i);
        for (int k = 0; k < strip; k++) {
          stored.position((int) ((i + k) * storedRowBytes));
          Elements.toFloats(type, stored, values, k * rows, rows);
        }
        for (int k = 0; k < rows; k++) {
          int place = offset + k * width + done + i;
          for (int j = 0; j < strip; j++) {
            target[place + j] = values[j * rows + k];
          }
        }
      }
    }
  }
}
