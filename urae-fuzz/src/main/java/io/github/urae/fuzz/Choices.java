package io.github.urae.fuzz;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** Decisions drawn from bytes, one after another. After the last byte each decision is 0. */
final class Choices {

  private final byte[] bytes;
  private int position;

  Choices(byte[] bytes, int start) {
    this.bytes = bytes;
    this.position = start;
  }

  boolean hasNext() {
    return position < bytes.length;
  }

  private int next() {
    return hasNext() ? Byte.toUnsignedInt(bytes[position++]) : 0;
  }

  /** Returns a number from 0 to below a bound, at most 2^24. */
  int below(int bound) {
    int value = next();
    for (long reach = 256; reach < bound; reach <<= 8) {
      value = value << 8 | next();
    }
    return Math.floorMod(value, bound);
  }

  boolean oneIn(int count) {
    return below(count) == count - 1;
  }

  <T> T of(List<T> values) {
    return values.get(below(values.size()));
  }

  /** Returns one of the values at which something overflows, or a small one. */
  long edge() {
    int shift = below(66);
    long power = shift < 64 ? 1L << shift : 0;
    return switch (below(4)) {
      case 0 -> below(16);
      case 1 -> power - 1;
      case 2 -> -power;
      default -> power;
    };
  }

  /** Returns up to 255 bytes. */
  byte[] some() {
    byte[] some = new byte[next()];
    for (int i = 0; i < some.length; i++) {
      some[i] = (byte) next();
    }
    return some;
  }

  String text() {
    return new String(some(), StandardCharsets.UTF_8);
  }
}
