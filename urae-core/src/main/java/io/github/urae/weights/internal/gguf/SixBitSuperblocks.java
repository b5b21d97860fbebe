package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * Q6_K: 256 values of six bits in groups of 16. Bytes 0 to 127 are the values' low four bits, 128
 * to 191 the high two; 192 to 207 the groups' scales, signed; then their half-precision factor.
 */
final class SixBitSuperblocks extends BlockEncoding {

  private static final int ELEMENTS = 256;
  private static final int GROUP = 16;
  private static final int HIGH = 128;
  private static final int SCALES = 192;
  private static final int SCALE = 208;
  private static final int BYTES = 210;

  SixBitSuperblocks() {
    super("Q6_K", new Layout(ELEMENTS, BYTES, GROUP, -32, 31, false));
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    for (int block = 0; block < blocks; block++) {
      int from = block * BYTES;
      float scale = Halves.at(stored, from + SCALE);
      for (int group = 0; group < ELEMENTS / GROUP; group++) {
        target.setScale(block, block * GROUP + group, scale, stored[from + SCALES + group]);
      }
      for (int part = 0; part < ELEMENTS / 32; part++) {
        unpack(stored, from, part, target.codes(), block * ELEMENTS + 32 * part);
      }
    }
  }

  /** 32 values: the fourth part of a half. */
  private static void unpack(byte[] stored, int from, int part, byte[] codes, int to) {
    int half = part / 4;
    int quarter = part % 4;
    int low = from + 64 * half + 32 * (quarter % 2);
    int high = from + HIGH + 32 * half;
    int lowShift = 4 * (quarter / 2);
    int highShift = 2 * quarter;
    for (int i = 0; i < 32; i++) {
      int code = (stored[low + i] >> lowShift & 15) | (stored[high + i] >> highShift & 3) << 4;
      codes[to + i] = (byte) (code - 32);
    }
  }
}
