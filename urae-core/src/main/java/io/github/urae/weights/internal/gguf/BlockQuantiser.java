package io.github.urae.weights.internal.gguf;

import io.github.urae.tensor.internal.Elements;

/**
 * Turns values into a block, rounding as ggml does.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c">ggml: {@code
 *     quantize_row_q8_0_ref}, {@code quantize_row_q4_0_ref}</a>
 */
@FunctionalInterface
interface BlockQuantiser {

  /** Values of a block in both types. */
  int ELEMENTS = 32;

  /**
   * Writes a block.
   *
   * @param values where its values are
   * @param first index of the first of them
   * @param target receives its bytes
   * @param to index of the first of these
   */
  void write(float[] values, int first, byte[] target, int to);

  /** Q8_0: the largest magnitude becomes 127. */
  static void q80(float[] values, int first, byte[] target, int to) {
    float largest = 0;
    for (int i = first; i < first + ELEMENTS; i++) {
      largest = Math.max(largest, Math.abs(values[i]));
    }
    float scale = largest / 127;
    float inverse = scale == 0 ? 0 : 1 / scale;
    putHalf(scale, target, to);
    for (int i = 0; i < ELEMENTS; i++) {
      target[to + 2 + i] = (byte) awayFromZero(values[first + i] * inverse);
    }
  }

  /** Q4_0: the value of the largest magnitude becomes -8. */
  static void q40(float[] values, int first, byte[] target, int to) {
    float largest = 0;
    float signed = 0;
    for (int i = first; i < first + ELEMENTS; i++) {
      if (largest < Math.abs(values[i])) {
        largest = Math.abs(values[i]);
        signed = values[i];
      }
    }
    float scale = signed / -8;
    float inverse = scale == 0 ? 0 : 1 / scale;
    putHalf(scale, target, to);
    for (int i = 0; i < ELEMENTS / 2; i++) {
      int low = nibble(values[first + i] * inverse);
      int high = nibble(values[first + ELEMENTS / 2 + i] * inverse);
      target[to + 2 + i] = (byte) (low | high << 4);
    }
  }

  private static int nibble(float scaled) {
    return Math.min(15, (byte) (int) (scaled + 8.5f));
  }

  /** Rounds as C's roundf. */
  private static int awayFromZero(float value) {
    return (int) (value < 0 ? value - 0.5 : value + 0.5);
  }

  private static void putHalf(float value, byte[] target, int to) {
    short bits = Elements.toHalf(value);
    target[to] = (byte) bits;
    target[to + 1] = (byte) (bits >> Byte.SIZE);
  }
}
