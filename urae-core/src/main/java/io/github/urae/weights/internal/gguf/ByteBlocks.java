package io.github.urae.weights.internal.gguf;

import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;

/** Q8_0: a half-precision scale, then 32 signed bytes. */
final class ByteBlocks extends BlockEncoding {

  private static final int ELEMENTS = 32;
  private static final int BYTES = 2 + ELEMENTS;

  ByteBlocks() {
    super("Q8_0", new Layout(ELEMENTS, BYTES, ELEMENTS, Byte.MIN_VALUE, Byte.MAX_VALUE, false));
  }

  @Override
  protected void decode(byte[] stored, int blocks, CodedBlocks target) {
    for (int block = 0; block < blocks; block++) {
      int from = block * BYTES;
      target.scales()[block] = Halves.at(stored, from);
      System.arraycopy(stored, from + 2, target.codes(), block * ELEMENTS, ELEMENTS);
    }
  }
}
