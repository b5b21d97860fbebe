package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * IQ4_XS: 256 values of four bits, which stand for uneven integers, in groups of 32. A
 * half-precision factor; the high two bits of the eight groups' scales in two bytes, the low four
 * in four bytes; then the values, each group as in IQ4_NL.
 */
final class UnevenSuperblocks extends BlockEncoding {

  private static final int ELEMENTS = 256;
  private static final int GROUP = 32;
  private static final int GROUPS = ELEMENTS / GROUP;
  private static final int HIGH_SCALES = 2;
  private static final int LOW_SCALES = 4;
  private static final int PAIRS = 8;
  private static final int BYTES = PAIRS + ELEMENTS / 2;

  UnevenSuperblocks() {
    super(
        "IQ4_XS",
        new Layout(
            ELEMENTS,
            BYTES,
            GROUP,
            NibbleBlocks.lowestUneven(),
            NibbleBlocks.highestUneven(),
            false));
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    for (int block = 0; block < blocks; block++) {
      int from = block * BYTES;
      float scale = Halves.at(stored, from);
      int highScales = Halves.unsigned(stored, from + HIGH_SCALES);
      for (int group = 0; group < GROUPS; group++) {
        int low = stored[from + LOW_SCALES + group / 2] >> (4 * (group % 2)) & 15;
        int high = highScales >> (2 * group) & 3;
        int at = block * GROUPS + group;
        target.setScale(block, at, scale, (low | high << 4) - 32);
        NibbleBlocks.unpackUneven(
            stored, from + PAIRS + group * GROUP / 2, target.codes(), at * GROUP);
      }
    }
  }
}
