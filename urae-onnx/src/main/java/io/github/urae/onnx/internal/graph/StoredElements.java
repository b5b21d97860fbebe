package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The bytes of a weight as they lie in its file, whatever it takes to read them as numbers. */
final class StoredElements {

  /** Bytes copied at once. */
  private static final int PIECE_BYTES = 1 << 20;

  private StoredElements() {}

  /** Returns a weight's place as that of plain elements. */
  static TensorInfo plain(TensorInfo stored, ElementType type, Shape shape) {
    return new TensorInfo(
        stored.name(),
        WeightEncoding.plain(type),
        shape,
        stored.file(),
        stored.offset(),
        type.byteSize(shape.elementCount()));
  }

  /** Copies them. */
  static void copy(TensorSource source, String name, ByteSink sink) throws IOException {
    TensorInfo stored = source.tensors().get(name);
    long length = stored.encoding().byteSize(stored.shape());
    ByteBuffer piece = ByteBuffer.allocate((int) Math.min(PIECE_BYTES, length));
    for (long at = 0; at < length; at += PIECE_BYTES) {
      piece.clear().limit((int) Math.min(PIECE_BYTES, length - at));
      source.read(name, at, piece);
      sink.accept(piece.flip());
    }
  }
}
