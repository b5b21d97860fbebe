package io.github.urae.onnx.internal.graph;

import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.stream.IntStream;

/** The rows of a weight, one for each output channel, and their scales. */
final class ChannelRows {

  /** Rows looked at together: as many bytes as a line of the processor's cache. */
  static final int GROUP = 64;

  /** Codes on either side of zero. */
  private static final int LEVELS = 127;

  private ChannelRows() {}

  /** What takes some rows. Several threads may call it at a time. */
  @FunctionalInterface
  interface Taker {
    /**
     * Takes rows.
     *
     * @param first number of the first row
     * @param rows how many there are
     * @param values rows one after the other
     */
    void take(int first, int rows, float[] values);
  }

  /** Reads all rows of a weight, on all processors. */
  static void forEach(TensorSource source, WeightForm form, Taker taker) throws IOException {
    int channels = Math.toIntExact(form.parameterShape().dimension(0));
    int columns = Math.toIntExact(form.parameterShape().dimension(1));
    try {
      IntStream.rangeClosed(0, (channels - 1) / GROUP)
          .parallel()
          .forEach(
              group -> {
                int first = group * GROUP;
                int rows = Math.min(GROUP, channels - first);
                float[] values = new float[rows * columns];
                try {
                  source.readRows(form.parameter(), first, rows, values, 0);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
                taker.take(first, rows, values);
              });
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /**
   * Returns the scale of a row: its largest magnitude over the largest code; 0 where there is next
   * to nothing, and no number where some value is none.
   */
  static float scale(float[] values, int start, int columns) {
    float most = 0;
    for (int i = start; i < start + columns; i++) {
      most = Math.max(most, Math.abs(values[i]));
    }
    float scale = most / LEVELS;
    // Its inverse would be infinite.
    return scale < Float.MIN_NORMAL ? 0 : scale;
  }
}
