package io.github.urae.training.internal.metrics;

import java.util.Arrays;
import java.util.Locale;

/**
 * Smoothed loss, over all noise levels and over ranges of them: what a picture's loss is depends on
 * its noise level far more than on the state of the training, so that the losses of single steps
 * tell little. Exponential means, corrected for their beginning. Not thread-safe.
 */
public final class SigmaBuckets {

  /** Ranges of sigma, of equal width. */
  public static final int COUNT = 5;

  /** Weight of the mean so far: about the last fifty pictures count. */
  private static final double DECAY = 0.98;

  private final double[] sums = new double[COUNT + 1];
  private final double[] weights = new double[COUNT + 1];

  /** Creates means of nothing yet. */
  public SigmaBuckets() {}

  /**
   * Continues from means of before.
   *
   * @param sums as of {@link #sums()}
   * @param weights as of {@link #weights()}
   * @throws IllegalArgumentException if they are not as many
   */
  public SigmaBuckets(double[] sums, double[] weights) {
    if (sums.length != COUNT + 1 || weights.length != COUNT + 1) {
      throw new IllegalArgumentException("expected " + (COUNT + 1) + " means");
    }
    System.arraycopy(sums, 0, this.sums, 0, sums.length);
    System.arraycopy(weights, 0, this.weights, 0, weights.length);
  }

  /**
   * Takes the loss of a picture in.
   *
   * @param sigma its noise level, 0 to 1
   * @param loss its loss
   */
  public void add(double sigma, double loss) {
    update(COUNT, loss);
    update(Math.min(COUNT - 1, (int) (sigma * COUNT)), loss);
  }

  private void update(int index, double loss) {
    sums[index] = DECAY * sums[index] + (1 - DECAY) * loss;
    weights[index] = DECAY * weights[index] + (1 - DECAY);
  }

  /**
   * Returns the mean over all noise levels.
   *
   * @return NaN before the first picture
   */
  public double all() {
    return sums[COUNT] / weights[COUNT];
  }

  /**
   * Returns the mean of a range.
   *
   * @param bucket 0 to {@link #COUNT} - 1
   * @return NaN before the first picture of the range
   */
  public double of(int bucket) {
    return sums[bucket] / weights[bucket];
  }

  /**
   * Names a range.
   *
   * @param bucket as above
   * @return such as {@code "0.2-0.4"}
   */
  public static String name(int bucket) {
    return String.format(Locale.ROOT, "%.1f-%.1f", (double) bucket / COUNT, (bucket + 1.0) / COUNT);
  }

  /**
   * Returns one half of the state.
   *
   * @return a copy
   */
  public double[] sums() {
    return Arrays.copyOf(sums, sums.length);
  }

  /**
   * Returns the other half of the state.
   *
   * @return a copy
   */
  public double[] weights() {
    return Arrays.copyOf(weights, weights.length);
  }
}
