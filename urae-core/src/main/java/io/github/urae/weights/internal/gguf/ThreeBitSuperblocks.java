package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * Q3_K: 256 values of three bits in groups of 16. Bytes 0 to 31 are the values' third bits, 32 to
 * 95 the others; 96 to 107 the groups' scales, six bits each; then their half-precision factor.
 */
final class ThreeBitSuperblocks extends BlockEncoding {

  private static final int ELEMENTS = 256;
  private static final int GROUP = 16;
  private static final int VALUES = 32;
  private static final int SCALES = 96;
  private static final int SCALE = 108;
  private static final int BYTES = 110;

  ThreeBitSuperblocks() {
    super("Q3_K", new Layout(ELEMENTS, BYTES, GROUP, -4, 3, false));
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    for (int block = 0; block < blocks; block++) {
      int from = block * BYTES;
      float scale = Halves.at(stored, from + SCALE);
      for (int group = 0; group < ELEMENTS / GROUP; group++) {
        int code = groupScale(stored, from, group) - 32;
        target.setScale(block, block * GROUP + group, scale, code);
      }
      TwoBitSuperblocks.unpack(stored, from + VALUES, target.codes(), block * ELEMENTS);
      subtract(stored, from, target.codes(), block * ELEMENTS);
    }
  }

  private static int groupScale(byte[] stored, int from, int group) {
    int low = stored[from + SCALES + group % 8] >> (4 * (group / 8)) & 15;
    int high = stored[from + SCALES + 8 + group % 4] >> (2 * (group / 4)) & 3;
    return low | high << 4;
  }

  /** Where a third bit is not set, the value is less by four. */
  private static void subtract(byte[] stored, int masks, byte[] codes, int to) {
    for (int part = 0; part < ELEMENTS / 32; part++) {
      int first = to + 32 * part;
      for (int i = 0; i < 32; i++) {
        codes[first + i] -= (byte) ((~stored[masks + i] >> part & 1) << 2);
      }
    }
  }
}
