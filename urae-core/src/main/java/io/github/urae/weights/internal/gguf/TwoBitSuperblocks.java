package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * Q2_K: 256 values of two bits in groups of 16. Bytes 0 to 15 are the groups' scales and minima,
 * four bits each; 16 to 79 the values; then two half-precision factors, of scales and of minima.
 */
final class TwoBitSuperblocks extends BlockEncoding {

  private static final int ELEMENTS = 256;
  private static final int GROUP = 16;
  private static final int VALUES = 16;
  private static final int SCALE = 80;
  private static final int MINIMUM = 82;
  private static final int BYTES = 84;

  TwoBitSuperblocks() {
    super("Q2_K", new Layout(ELEMENTS, BYTES, GROUP, 0, 3, true));
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    for (int block = 0; block < blocks; block++) {
      int from = block * BYTES;
      float scale = Halves.at(stored, from + SCALE);
      float minimum = -Halves.at(stored, from + MINIMUM);
      for (int group = 0; group < ELEMENTS / GROUP; group++) {
        int both = stored[from + group] & 0xFF;
        target.setScale(block, block * GROUP + group, scale, both & 15);
        target.setOffset(block, block * GROUP + group, minimum, both >> 4);
      }
      unpack(stored, from + VALUES, target.codes(), block * ELEMENTS);
    }
  }

  /** Two bits of 32 bytes are 32 values, of 64 bytes all. */
  static void unpack(byte[] stored, int from, byte[] target, int to) {
    for (int half = 0; half < 2; half++) {
      for (int quarter = 0; quarter < 4; quarter++) {
        int first = to + 128 * half + 32 * quarter;
        for (int i = 0; i < 32; i++) {
          target[first + i] = (byte) (stored[from + 32 * half + i] >> (2 * quarter) & 3);
        }
      }
    }
  }
}
