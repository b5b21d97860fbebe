package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A weight of any encoding rounded to integers, blocks of each row having a scale: the integers, or
 * the scales. A row that is no multiple of a block ends with one that is filled up with zeros.
 *
 * @param part what is made
 * @param bits of an integer, 8 or 4
 * @param blockSize values that share a scale
 */
record RoundedBlocks(String parameter, Shape parameterShape, Part part, int bits, int blockSize)
    implements WeightForm {

  /** What is made of a weight. */
  enum Part {
    /** Integers from -127 on, a byte each. */
    SIGNED,
    /** The same and half of the codes more; two a byte where they are of 4 bits. */
    UNSIGNED,
    /** What they are multiplied by. */
    SCALES
  }

  /** Values rounded at once. */
  private static final int PIECE = 1 << 16;

  /** Added to a small number, it leaves the nearest integer in the lowest bits. */
  private static final float ROUNDING = 0x1.8p23f;

  /** A thread's memory: a row of whole blocks. */
  @SuppressWarnings("ArrayRecordComponent") // Room that is used anew, compared by nobody.
  private record Worker(float[] row, float[] scales, byte[] codes) {}

  @Override
  public String description() {
    return part + " of rounded blocks, " + bits + ", " + blockSize;
  }

  /** Returns the number of blocks of a row. */
  static int blocks(long columns, int blockSize) {
    return Math.toIntExact((columns + blockSize - 1) / blockSize);
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    int rows = Math.toIntExact(parameterShape.dimension(0));
    int columns = Math.toIntExact(parameterShape.dimension(1));
    int blocks = blocks(columns, blockSize);
    int width = blocks * blockSize;
    int atOnce = Math.max(1, PIECE / width);
    new OrderedPieces<>(
            () -> new Worker(new float[width], new float[blocks], new byte[width]),
            atOnce * (part == Part.SCALES ? blocks * Float.BYTES : width))
        .write(
            (rows + atOnce - 1) / atOnce,
            (worker, number, target) -> {
              int first = number * atOnce;
              for (int row = first; row < Math.min(first + atOnce, rows); row++) {
                source.readRows(parameter, row, 1, worker.row, 0);
                round(worker, blocks);
                give(worker, blocks, type, target);
              }
            },
            sink);
  }

  private void round(Worker worker, int blocks) {
    for (int block = 0; block < blocks; block++) {
      worker.scales[block] =
          bits == 8
              ? eightBits(worker.row, worker.codes, block * blockSize)
              : fourBits(worker.row, worker.codes, block * blockSize);
    }
  }

  private void give(Worker worker, int blocks, ElementType type, ByteBuffer target) {
    switch (part) {
      case SCALES -> Elements.fromFloats(type, worker.scales, 0, blocks, target);
      case SIGNED -> target.put(worker.codes, 0, blocks * blockSize);
      case UNSIGNED -> {
        if (bits == 8) {
          shift(worker.codes, blocks * blockSize);
          target.put(worker.codes, 0, blocks * blockSize);
        } else {
          pack(worker.codes, blocks * blockSize / 2);
          target.put(worker.codes, 0, blocks * blockSize / 2);
        }
      }
    }
  }

  // Loops in methods of their own: HotSpot compiles and vectorises each by itself.

  private static void shift(byte[] codes, int count) {
    for (int i = 0; i < count; i++) {
      codes[i] ^= (byte) 0x80;
    }
  }

  private static void pack(byte[] codes, int bytes) {
    for (int i = 0; i < bytes; i++) {
      codes[i] = (byte) ((codes[2 * i] + 8) | (codes[2 * i + 1] + 8) << 4);
    }
  }

  /** Rounds to multiples of the largest magnitude over 127; returns the scale. */
  private float eightBits(float[] row, byte[] codes, int start) {
    float most = 0;
    for (int i = start; i < start + blockSize; i++) {
      most = Math.max(most, Math.abs(row[i]));
    }
    float scale = most / 127;
    float factor = scale < Float.MIN_NORMAL ? 0 : 1 / scale;
    for (int i = start; i < start + blockSize; i++) {
      codes[i] = (byte) Float.floatToRawIntBits(row[i] * factor + ROUNDING);
    }
    return factor == 0 ? 0 : scale;
  }

  /**
   * Rounds as ggml does for Q4_0, so that the largest magnitude is -8 times the scale, then fits
   * the scale to these integers by least squares, and returns it.
   */
  private float fourBits(float[] row, byte[] codes, int start) {
    float least = 0;
    float most = 0;
    for (int i = start; i < start + blockSize; i++) {
      least = Math.min(least, row[i]);
      most = Math.max(most, row[i]);
    }
    float scale = (most > -least ? most : least) / -8;
    if (Math.abs(scale) < Float.MIN_NORMAL) {
      for (int i = start; i < start + blockSize; i++) {
        codes[i] = 0;
      }
      return 0;
    }
    float factor = 1 / scale;
    double products = 0;
    int squares = 0;
    for (int i = start; i < start + blockSize; i++) {
      int code = Math.min(7, Math.round(row[i] * factor));
      codes[i] = (byte) code;
      products += (double) row[i] * code;
      squares += code * code;
    }
    return (float) (products / squares);
  }
}
