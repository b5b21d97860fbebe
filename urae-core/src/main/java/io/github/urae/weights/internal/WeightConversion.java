package io.github.urae.weights.internal;

import io.github.urae.CancellationToken;
import io.github.urae.FileFormatException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/**
 * Rewrites weights in another element type, in pieces of a few megabytes whatever the size of a
 * tensor.
 */
public final class WeightConversion {

  /** Elements converted at once: 4 MiB of float32, so that a piece stays in the cache. */
  private static final int PIECE = 1 << 20;

  private WeightConversion() {}

  /**
   * Returns how many bytes the converted tensors will take, without the header.
   *
   * @param source holds the tensors
   * @param names tensors to convert
   * @param type element type to convert to
   * @return their size in bytes
   */
  public static long byteSize(TensorSource source, Collection<String> names, ElementType type) {
    return names.stream()
        .mapToLong(name -> type.byteSize(source.tensors().get(name).shape().elementCount()))
        .sum();
  }

  /**
   * Writes tensors of a source to a new file, in one element type.
   *
   * @param source holds the tensors
   * @param names tensors to convert, in the order of the new file
   * @param type F32, BF16, F16 or F64
   * @param target the new file; replaced as a whole, or unchanged if this fails
   * @param metadata strings for the new file's {@code __metadata__}
   * @param component id of the network, for the listener
   * @param listener hears of the progress
   * @param cancellation ends the work early
   * @throws IOException if reading or writing fails
   * @throws FileFormatException if a tensor is of a type that no weight has, or the source changes
   */
  public static void convert(
      TensorSource source,
      Collection<String> names,
      ElementType type,
      Path target,
      Map<String, String> metadata,
      String component,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    List<SafetensorsWriter.Declaration> declarations =
        names.stream().map(name -> declare(source.tensors().get(name), type)).toList();
    long total = byteSize(source, names, type);
    TaskReporter reporter =
        new TaskReporter(listener, cancellation, Stage.CONVERTING, component, total);
    float[] values = new float[PIECE];
    ByteBuffer bytes = ByteBuffer.allocateDirect(PIECE * Double.BYTES);
    try (SafetensorsWriter writer = SafetensorsWriter.create(target, metadata, declarations)) {
      for (SafetensorsWriter.Declaration tensor : declarations) {
        boolean asStored = source.tensors().get(tensor.name()).isPlain(type);
        long count = tensor.shape().elementCount();
        for (long first = 0; first < count; first += PIECE) {
          int piece = (int) Math.min(PIECE, count - first);
          bytes.clear();
          if (asStored) {
            bytes.limit(Math.toIntExact(type.byteSize(piece)));
            source.read(tensor.name(), type.byteSize(first), bytes);
          } else {
            source.readFloats(tensor.name(), first, values, 0, piece);
            Elements.fromFloats(type, values, 0, piece, bytes);
          }
          writer.write(tensor.name(), bytes.flip());
          reporter.advance(type.byteSize(piece));
        }
      }
      source.checkUnchanged();
      writer.finish();
    }
  }

  private static SafetensorsWriter.Declaration declare(TensorInfo info, ElementType type) {
    if (!info.type().isFloatingPoint()) {
      throw new FileFormatException(
          info.file()
              + ": tensor '"
              + info.name()
              + "': expected floating-point weights, found "
              + info.encoding().name());
    }
    return new SafetensorsWriter.Declaration(info.name(), type, info.shape());
  }
}
