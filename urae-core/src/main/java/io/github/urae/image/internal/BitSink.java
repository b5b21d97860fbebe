package io.github.urae.image.internal;

import java.util.Arrays;

/** Gathers bits, the first of them in the lowest place of a byte. */
final class BitSink {

  private byte[] bytes = new byte[1 << 12];
  private int size;
  private long pending;
  private int pendingBits;

  /**
   * Adds bits.
   *
   * @param value the bits, the lowest first; 0 above them
   * @param bits how many, 0 to 32
   */
  void add(int value, int bits) {
    pending |= Integer.toUnsignedLong(value) << pendingBits;
    pendingBits += bits;
    while (pendingBits >= Byte.SIZE) {
      addByte();
    }
  }

  private void addByte() {
    if (size == bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.addExact(size, size / 2));
    }
    bytes[size++] = (byte) pending;
    pending >>>= Byte.SIZE;
    pendingBits -= Byte.SIZE;
  }

  /** Returns all bits, zeros after them up to a whole byte. */
  byte[] toBytes() {
    if (pendingBits > 0) {
      add(0, Byte.SIZE - pendingBits);
    }
    return Arrays.copyOf(bytes, size);
  }
}
