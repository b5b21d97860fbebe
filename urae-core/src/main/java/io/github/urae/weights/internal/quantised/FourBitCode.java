package io.github.urae.weights.internal.quantised;

import io.github.urae.FileFormatException;
import io.github.urae.weights.TensorInfo;

/**
 * The values that four bits stand for, relative to the largest of their block.
 *
 * @see <a href="https://github.com/bitsandbytes-foundation/bitsandbytes">bitsandbytes: {@code
 *     functional.get_4bit_type}</a>
 */
public enum FourBitCode {
  /** Quantiles of a normal distribution. */
  NF4(
      -1,
      -0.6961928f,
      -0.52507305f,
      -0.3949175f,
      -0.28444138f,
      -0.18477343f,
      -0.091050036f,
      0,
      0.0795803f,
      0.1609302f,
      0.2461123f,
      0.33791524f,
      0.44070983f,
      0.562617f,
      0.72295684f,
      1),
  /** A sign, two bits of an exponent, one of a mantissa, and one subnormal. */
  FP4(
      0,
      0.0625f / 12,
      8f / 12,
      1,
      4f / 12,
      6f / 12,
      2f / 12,
      3f / 12,
      -0f,
      -0.0625f / 12,
      -8f / 12,
      -1,
      -4f / 12,
      -6f / 12,
      -2f / 12,
      -3f / 12);

  /** Another rounding of the same numbers, as in float16, is the same code. */
  private static final float TOLERANCE = 1e-3f;

  @SuppressWarnings("ImmutableEnumChecker") // The array is never handed out.
  private final float[] values;

  FourBitCode(float... values) {
    this.values = values;
  }

  /**
   * Returns what a code stands for.
   *
   * @param code 0 to 15
   * @return its value, -1 to 1
   */
  public float value(int code) {
    return values[code];
  }

  /**
   * Makes sure that a stored list of values is this one: programs that read these files go by their
   * own.
   *
   * @throws FileFormatException if it is another one
   */
  void check(TensorInfo stored, float[] found) {
    boolean same = found.length == values.length;
    for (int i = 0; same && i < values.length; i++) {
      same = Math.abs(found[i] - values[i]) <= TOLERANCE;
    }
    if (!same) {
      throw StoredTensors.damaged(
          stored,
          "expected the 16 values of "
              + this
              + ", found others; a code of its own is not read: use another file of the model");
    }
  }
}
