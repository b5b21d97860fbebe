package io.github.urae.onnx.internal.session;

import io.github.urae.InferenceException;
import java.util.function.UnaryOperator;

/**
 * Finds results that are no picture: infinite, not a number, or so large that the next network's
 * squares overflow and leave nothing but zeros. One pass over the numbers, thousandths of what the
 * network took.
 */
public final class FiniteResults {

  /** Its square, summed over a network's width, fits into float32 many times. */
  private static final float LARGEST = 1 << 30;

  private FiniteResults() {}

  /**
   * Checks a result.
   *
   * @param values the numbers
   * @param message makes the whole message of how many numbers are not finite
   * @return the same numbers
   * @throws InferenceException if a number is not finite
   */
  public static float[] checked(float[] values, UnaryOperator<String> message) {
    int bad = count(values);
    if (bad > 0) {
      throw new InferenceException(
          message.apply(bad + " of " + values.length + " numbers are not finite"));
    }
    return values;
  }

  /**
   * Tells whether all numbers are finite, and of a size that networks can compute with.
   *
   * @param values the numbers
   * @return false if one is not
   */
  public static boolean areFinite(float[] values) {
    return count(values) == 0;
  }

  private static int count(float[] values) {
    int bad = 0;
    for (float value : values) {
      // Written so that NaN counts.
      if (!(Math.abs(value) < LARGEST)) {
        bad++;
      }
    }
    return bad;
  }
}
