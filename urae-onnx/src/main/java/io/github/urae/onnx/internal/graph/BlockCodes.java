package io.github.urae.onnx.internal.graph;

import io.github.urae.onnx.internal.graph.GraphWeight.Packing;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;

/**
 * The integers of a weight in {@linkplain BlockEncoding blocks}, row-major, without scales: one a
 * byte, or two.
 *
 * @param packing how many lie in a byte
 */
record BlockCodes(String parameter, Shape parameterShape, Packing packing) implements WeightForm {

  /** Returns the smallest form that holds every integer of an encoding. */
  static Packing packing(BlockEncoding.Layout layout) {
    if (layout.lowestCode() >= -8 && layout.highestCode() <= 7) {
      return Packing.INT4;
    }
    return layout.lowestCode() >= 0 && layout.highestCode() <= 15 ? Packing.UINT4 : Packing.NONE;
  }

  @Override
  public String description() {
    return "codes of blocks, " + packing;
  }

  @Override
  public Origin origin() {
    return Origin.CODES;
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    StoredBlocks.of(source, parameter)
        .write(
            1,
            (blocks, elements, groups, target) -> {
              int bytes = elements;
              if (packing != Packing.NONE) {
                bytes = elements / 2;
                pack(blocks.codes(), bytes);
              }
              target.put(blocks.codes(), 0, bytes);
            },
            sink);
  }

  /** Puts pairs of nibbles into bytes, at the beginning of the array. */
  private static void pack(byte[] codes, int bytes) {
    for (int i = 0; i < bytes; i++) {
      codes[i] = (byte) ((codes[2 * i] & 0xF) | (codes[2 * i + 1] << 4));
    }
  }
}
