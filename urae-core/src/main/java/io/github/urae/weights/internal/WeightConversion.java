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
import java.util.List;

/**
 * Rewrites weights in another form, in pieces of a megabyte or so whatever the size of a tensor.
 */
public final class WeightConversion {

  /** Elements converted at once: 1 MiB of float32, so that a piece stays in the cache. */
  private static final int PIECE = 1 << 18;

  private WeightConversion() {}

  /**
   * Gives weights to a new file.
   *
   * @param source what they are made from
   * @param declarations the weights, in the order of the new file
   * @param bytes gives their bytes
   * @param sink the new file
   * @param component id of the network, for the listener
   * @param listener hears of the progress
   * @param cancellation ends the work early
   * @throws IOException if reading or writing fails
   * @throws io.github.urae.FileFormatException if the source changes
   */
  public static void write(
      TensorSource source,
      List<SafetensorsWriter.Declaration> declarations,
      WeightBytes bytes,
      WeightCache.Sink sink,
      String component,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    long total = declarations.stream().mapToLong(SafetensorsWriter.Declaration::byteSize).sum();
    TaskReporter reporter =
        new TaskReporter(listener, cancellation, Stage.CONVERTING, component, total);
    for (SafetensorsWriter.Declaration tensor : declarations) {
      bytes.writeTo(
          tensor.name(),
          piece -> {
            int size = piece.remaining();
            sink.write(tensor.name(), piece);
            reporter.advance(size);
          });
    }
    source.checkUnchanged();
  }

  /**
   * Gives the values of a tensor in an element type.
   *
   * @param source holds the tensor
   * @param name its name there
   * @param type F32, BF16, F16 or F64; any in which the tensor is stored as plain elements
   * @param sink takes the bytes
   * @throws IOException if reading or writing fails
   * @throws FileFormatException if the tensor is of a type that no weight has
   */
  public static void values(TensorSource source, String name, ElementType type, ByteSink sink)
      throws IOException {
    TensorInfo info = source.tensors().get(name);
    if (!info.type().isFloatingPoint()) {
      throw new FileFormatException(
          info.file()
              + ": tensor '"
              + info.name()
              + "': expected floating-point weights, found "
              + info.encoding().name());
    }
    boolean asStored = info.isPlain(type);
    long count = info.shape().elementCount();
    int atOnce = (int) Math.min(PIECE, count);
    float[] values = new float[asStored ? 0 : atOnce];
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(type.byteSize(atOnce)));
    for (long first = 0; first < count; first += atOnce) {
      int piece = (int) Math.min(atOnce, count - first);
      bytes.clear();
      if (asStored) {
        bytes.limit(Math.toIntExact(type.byteSize(piece)));
        source.read(name, type.byteSize(first), bytes);
      } else {
        source.readFloats(name, first, values, 0, piece);
        Elements.fromFloats(type, values, 0, piece, bytes);
      }
      sink.accept(bytes.flip());
    }
  }
}
