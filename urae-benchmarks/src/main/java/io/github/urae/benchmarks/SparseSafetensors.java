package io.github.urae.benchmarks;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Checkpoints of true shapes that take no room: every value is zero, and zeros become holes. */
final class SparseSafetensors {

  private static final int PIECE_BYTES = 64 << 20;

  private SparseSafetensors() {}

  /** Writes a file that holds the tensors, all zero. */
  static void write(Path file, ElementType type, Map<String, Shape> tensors) throws IOException {
    List<SafetensorsWriter.Declaration> declarations =
        tensors.entrySet().stream()
            .map(t -> new SafetensorsWriter.Declaration(t.getKey(), type, t.getValue()))
            .toList();
    ByteBuffer zeros = ByteBuffer.allocateDirect(PIECE_BYTES);
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, Map.of(), declarations)) {
      for (SafetensorsWriter.Declaration tensor : declarations) {
        for (long left = tensor.byteSize(); left > 0; left -= zeros.capacity()) {
          zeros.clear().limit((int) Math.min(left, zeros.capacity()));
          writer.write(tensor.name(), zeros);
        }
      }
      writer.finish();
    }
  }
}
