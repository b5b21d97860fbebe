package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * Q4_K and Q5_K: 256 values of four or five bits in groups of 32. Two half-precision factors, of
 * scales and of minima; then the groups' eight scales and minima, six bits each, in twelve bytes;
 * in Q5_K the fifth bits in 32 bytes, a bit of each byte for a group; then the others.
 */
final class FourBitSuperblocks extends BlockEncoding {

  private static final int ELEMENTS = 256;
  private static final int GROUP = 32;
  private static final int GROUPS = ELEMENTS / GROUP;
  private static final int SCALES = 4;
  private static final int FIFTH_BITS = 16;
  private static final int PAIRS = ELEMENTS / 2;

  private final boolean hasFifthBits;

  private FourBitSuperblocks(String name, boolean hasFifthBits) {
    super(
        name,
        new Layout(
            ELEMENTS,
            FIFTH_BITS + (hasFifthBits ? GROUP : 0) + PAIRS,
            GROUP,
            0,
            hasFifthBits ? 31 : 15,
            true));
    this.hasFifthBits = hasFifthBits;
  }

  static FourBitSuperblocks q4k() {
    return new FourBitSuperblocks("Q4_K", false);
  }

  static FourBitSuperblocks q5k() {
    return new FourBitSuperblocks("Q5_K", true);
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    int bytes = layout().blockBytes();
    byte[] codes = target.codes();
    for (int block = 0; block < blocks; block++) {
      int from = block * bytes;
      float scale = Halves.at(stored, from);
      float minimum = -Halves.at(stored, from + 2);
      for (int group = 0; group < GROUPS; group++) {
        int at = block * GROUPS + group;
        target.setScale(block, at, scale, scale(stored, from + SCALES, group));
        target.setOffset(block, at, minimum, minimum(stored, from + SCALES, group));
        int pairs = from + bytes - PAIRS + group / 2 * GROUP;
        unpack(stored, pairs, 4 * (group % 2), codes, at * GROUP);
        if (hasFifthBits) {
          addFifthBits(stored, from + FIFTH_BITS, group, codes, at * GROUP);
        }
      }
    }
  }

  private static int scale(byte[] stored, int from, int group) {
    return group < 4
        ? stored[from + group] & 63
        : (stored[from + group + 4] & 15) | (stored[from + group - 4] >> 6 & 3) << 4;
  }

  private static int minimum(byte[] stored, int from, int group) {
    return group < 4
        ? stored[from + group + 4] & 63
        : (stored[from + group + 4] >> 4 & 15) | (stored[from + group] >> 6 & 3) << 4;
  }

  private static void unpack(byte[] stored, int from, int shift, byte[] codes, int to) {
    for (int i = 0; i < GROUP; i++) {
      codes[to + i] = (byte) (stored[from + i] >> shift & 15);
    }
  }

  private static void addFifthBits(byte[] stored, int from, int group, byte[] codes, int to) {
    for (int i = 0; i < GROUP; i++) {
      codes[to + i] |= (byte) ((stored[from + i] >> group & 1) << 4);
    }
  }
}
