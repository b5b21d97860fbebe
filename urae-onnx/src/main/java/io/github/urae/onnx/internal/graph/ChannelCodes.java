package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A weight [outputs, inputs] as bytes [inputs, outputs], rounded to multiples of each output
 * channel's {@linkplain ChannelScales scale}: signed, or unsigned and more by 128.
 *
 * @param memory for all codes of a weight, one weight after the other
 */
record ChannelCodes(String parameter, Shape parameterShape, SpareBytes memory)
    implements WeightForm {

  /** Added to a number of less than 22 bits, it leaves the nearest integer in the lowest ones. */
  private static final float ROUNDING = 0x1.8p23f;

  /** Bytes given at once: what is written from the heap passes through native memory. */
  private static final int PIECE = 1 << 20;

  /** The code of zero, added to unsigned codes. */
  static final int UNSIGNED_ZERO = 128;

  @Override
  public String description() {
    return "bytes by output channel, transposed";
  }

  /** Holds all codes, for they come out in another order than the values go in. */
  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    int outputs = Math.toIntExact(parameterShape.dimension(0));
    int inputs = Math.toIntExact(parameterShape.dimension(1));
    int zero = type == ElementType.U8 ? UNSIGNED_ZERO : 0;
    int size = Math.multiplyExact(outputs, inputs);
    byte[] codes = memory.take(size);
    ChannelRows.forEach(
        source,
        this,
        group -> {
          for (int row = 0; row < group.rows; row++) {
            round(group.values, group.bytes, row * inputs, inputs, zero);
          }
          for (int input = 0; input < inputs; input++) {
            int at = input * outputs + group.first;
            for (int row = 0; row < group.rows; row++) {
              codes[at + row] = group.bytes[row * inputs + input];
            }
          }
        });
    for (int start = 0; start < size; start += PIECE) {
      sink.accept(ByteBuffer.wrap(codes, start, Math.min(PIECE, size - start)));
    }
    memory.giveBack(codes);
  }

  private static void round(float[] values, byte[] codes, int start, int columns, int zero) {
    float scale = ChannelRows.scale(values, start, columns);
    float factor = scale > 0 ? 1 / scale : 0;
    for (int i = start; i < start + columns; i++) {
      codes[i] = (byte) (zero + Float.floatToRawIntBits(values[i] * factor + ROUNDING));
    }
  }
}
