package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/**
 * 32 values of four bits: Q4_0, Q4_1 and IQ4_NL. A half-precision scale, in Q4_1 an offset of the
 * same kind, then 16 bytes, of which the low nibbles are the first 16 values.
 */
final class NibbleBlocks extends BlockEncoding {

  private static final int ELEMENTS = 32;
  private static final int PAIRS = ELEMENTS / 2;

  /** What the nibbles of IQ4_NL and IQ4_XS stand for: {@code kvalues_iq4nl}. */
  private static final byte[] UNEVEN = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  private final byte[] codes;

  private NibbleBlocks(String name, byte[] codes, boolean hasOffsets) {
    super(
        name,
        new Layout(
            ELEMENTS,
            (hasOffsets ? 4 : 2) + PAIRS,
            ELEMENTS,
            codes[0],
            codes[codes.length - 1],
            hasOffsets));
    this.codes = codes;
  }

  static NibbleBlocks q40() {
    return new NibbleBlocks("Q4_0", from(-8), false);
  }

  static NibbleBlocks q41() {
    return new NibbleBlocks("Q4_1", from(0), true);
  }

  static NibbleBlocks iq4nl() {
    return new NibbleBlocks("IQ4_NL", UNEVEN, false);
  }

  private static byte[] from(int lowest) {
    byte[] codes = new byte[16];
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) (lowest + i);
    }
    return codes;
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    int bytes = layout().blockBytes();
    for (int block = 0; block < blocks; block++) {
      int from = block * bytes;
      target.scales()[block] = Halves.at(stored, from);
      if (layout().hasOffsets()) {
        target.offsets()[block] = Halves.at(stored, from + 2);
      }
      unpack(stored, from + bytes - PAIRS, codes, target.codes(), block * ELEMENTS);
    }
  }

  /** Looks 32 nibbles up. */
  private static void unpack(byte[] pairs, int from, byte[] table, byte[] target, int to) {
    for (int i = 0; i < PAIRS; i++) {
      int pair = pairs[from + i];
      target[to + i] = table[pair & 15];
      target[to + PAIRS + i] = table[pair >> 4 & 15];
    }
  }

  /** Looks 32 nibbles of IQ4_NL or IQ4_XS up. */
  static void unpackUneven(byte[] pairs, int from, byte[] target, int to) {
    unpack(pairs, from, UNEVEN, target, to);
  }

  static int lowestUneven() {
    return UNEVEN[0];
  }

  static int highestUneven() {
    return UNEVEN[UNEVEN.length - 1];
  }
}
