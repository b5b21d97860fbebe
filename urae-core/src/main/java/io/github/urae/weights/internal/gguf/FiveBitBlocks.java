package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * 32 values of five bits: Q5_0 and Q5_1. A half-precision scale, in Q5_1 an offset of the same
 * kind, the fifth bits of all values in four bytes, then the others as 16 bytes, of which the low
 * nibbles are the first 16 values.
 */
final class FiveBitBlocks extends BlockEncoding {

  private static final int ELEMENTS = 32;
  private static final int PAIRS = ELEMENTS / 2;

  private FiveBitBlocks(String name, int lowest, boolean hasOffsets) {
    super(
        name,
        new Layout(
            ELEMENTS, (hasOffsets ? 4 : 2) + 4 + PAIRS, ELEMENTS, lowest, lowest + 31, hasOffsets));
  }

  static FiveBitBlocks q50() {
    return new FiveBitBlocks("Q5_0", -16, false);
  }

  static FiveBitBlocks q51() {
    return new FiveBitBlocks("Q5_1", 0, true);
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    int bytes = layout().blockBytes();
    int lowest = layout().lowestCode();
    byte[] codes = target.codes();
    for (int block = 0; block < blocks; block++) {
      int from = block * bytes;
      target.scales()[block] = Halves.at(stored, from);
      if (layout().hasOffsets()) {
        target.offsets()[block] = Halves.at(stored, from + 2);
      }
      int pairs = from + bytes - PAIRS;
      int high = Halves.unsigned(stored, pairs - 4) | Halves.unsigned(stored, pairs - 2) << 16;
      int to = block * ELEMENTS;
      for (int i = 0; i < PAIRS; i++) {
        int pair = stored[pairs + i];
        codes[to + i] = (byte) (((pair & 15) | ((high >> i) & 1) << 4) + lowest);
        codes[to + PAIRS + i] =
            (byte) (((pair >> 4 & 15) | ((high >> (i + PAIRS)) & 1) << 4) + lowest);
      }
    }
  }
}
