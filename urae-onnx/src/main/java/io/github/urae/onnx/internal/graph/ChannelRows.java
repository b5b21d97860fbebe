package io.github.urae.onnx.internal.graph;

import io.github.urae.internal.ParallelBlocks;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.function.Consumer;

/** The rows of a weight, one for each output channel, and their scales. */
final class ChannelRows {

  /** Rows looked at together: as many bytes as a line of the processor's cache. */
  private static final int ROWS = 64;

  /** Values looked at together: a mebibyte. */
  private static final int VALUES = 1 << 18;

  /** Codes on either side of zero. */
  private static final int LEVELS = 127;

  private ChannelRows() {}

  /** A thread's memory. */
  static final class Group {

    /** Number of the first row. */
    int first;

    /** How many rows there are. */
    int rows;

    /** Rows one after the other. */
    final float[] values;

    /** As many bytes, for whoever needs them. */
    final byte[] bytes;

    Group(int elements) {
      values = new float[elements];
      bytes = new byte[elements];
    }
  }

  /** Gives all rows of a weight, on all processors. */
  static void forEach(TensorSource source, WeightForm form, Consumer<Group> taker)
      throws IOException {
    int channels = Math.toIntExact(form.parameterShape().dimension(0));
    int columns = Math.toIntExact(form.parameterShape().dimension(1));
    int rows = Math.max(1, Math.min(ROWS, VALUES / columns));
    try {
      new ParallelBlocks<>(() -> new Group(rows * columns))
          .run(
              (channels + rows - 1) / rows,
              (group, number) -> {
                group.first = number * rows;
                group.rows = Math.min(rows, channels - group.first);
                try {
                  source.readRows(form.parameter(), group.first, group.rows, group.values, 0);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
                taker.accept(group);
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
