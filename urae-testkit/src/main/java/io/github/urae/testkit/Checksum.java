package io.github.urae.testkit;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Sums over all values of a tensor, row-major, in double precision: two tensors of the same sums
 * are the same.
 *
 * @param sum of the values
 * @param abs of their magnitudes
 * @param squares of their squares
 * @param probe of each value times a number in [-1, 1) that its index gives
 */
public record Checksum(double sum, double abs, double squares, double probe) {

  /** The increment of {@link java.util.SplittableRandom}, whose mix gives the numbers. */
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  /** Returns the sums over some values. */
  public static Checksum of(float[] values) {
    double sum = 0;
    double abs = 0;
    double squares = 0;
    double probe = 0;
    for (int i = 0; i < values.length; i++) {
      double value = values[i];
      sum += value;
      abs += Math.abs(value);
      squares += value * value;
      probe += value * number(i);
    }
    return new Checksum(sum, abs, squares, probe);
  }

  private static double number(long index) {
    long mixed = (index + 1) * GOLDEN_GAMMA;
    mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
    mixed ^= mixed >>> 31;
    return (mixed >>> 11) * 0x1p-52 - 1;
  }

  /**
   * Checks that other sums are these, relative to the magnitudes.
   *
   * @param tolerance what the relative difference must be less than
   */
  public void assertClose(String what, Checksum found, double tolerance) {
    double scale = Math.max(abs, Double.MIN_NORMAL);
    assertThat(Math.abs(found.sum - sum) / scale).as("%s: sum", what).isLessThan(tolerance);
    assertThat(Math.abs(found.abs - abs) / scale).as("%s: abs", what).isLessThan(tolerance);
    assertThat(Math.abs(found.probe - probe) / scale).as("%s: probe", what).isLessThan(tolerance);
    assertThat(Math.abs(found.squares - squares) / Math.max(squares, Double.MIN_NORMAL))
        .as("%s: squares", what)
        .isLessThan(tolerance);
  }
}
