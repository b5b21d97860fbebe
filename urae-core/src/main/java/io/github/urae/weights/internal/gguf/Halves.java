package io.github.urae.weights.internal.gguf;

import io.github.urae.tensor.internal.Elements;

/** Half-precision numbers among the bytes of blocks. */
final class Halves {

  private Halves() {}

  /** Reads one, little-endian. */
  static float at(byte[] bytes, int index) {
    return Elements.fromHalf((short) unsigned(bytes, index));
  }

  /** Reads 16 bits, little-endian. */
  static int unsigned(byte[] bytes, int index) {
    return (bytes[index] & 0xFF) | (bytes[index + 1] & 0xFF) << Byte.SIZE;
  }
}
