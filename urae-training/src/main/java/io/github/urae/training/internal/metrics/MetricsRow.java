package io.github.urae.training.internal.metrics;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * What is written down of one update.
 *
 * @param step updates so far, this one included; 0 for what is measured before the first
 * @param unixTime seconds since 1970
 * @param loss mean over the update's pictures; NaN where there was no update
 * @param smoothedLoss over the last pictures
 * @param bucketLosses the same by ranges of sigma; NaN for ranges that had none yet
 * @param gradientNorm before clipping
 * @param learningRate what the optimizer was told
 * @param stepSize Prodigy's d, after the update
 * @param heldOutLoss where it was measured after this update
 * @param seconds time of the update
 * @param memoryBytes resident memory of the process
 */
public record MetricsRow(
    long step,
    double unixTime,
    double loss,
    double smoothedLoss,
    List<Double> bucketLosses,
    double gradientNorm,
    double learningRate,
    OptionalDouble stepSize,
    OptionalDouble heldOutLoss,
    double seconds,
    long memoryBytes) {

  private static final int COLUMNS = 10 + SigmaBuckets.COUNT;

  /** Copies the list. */
  public MetricsRow {
    bucketLosses = List.copyOf(bucketLosses);
  }

  /** Returns the names of the columns. */
  static String header() {
    List<String> names = new ArrayList<>(List.of("step", "unix_time", "loss", "smoothed_loss"));
    for (int i = 0; i < SigmaBuckets.COUNT; i++) {
      names.add("smoothed_loss_sigma_" + SigmaBuckets.name(i));
    }
    names.addAll(
        List.of(
            "gradient_norm",
            "learning_rate",
            "prodigy_d",
            "held_out_loss",
            "seconds",
            "memory_bytes"));
    return String.join(",", names);
  }

  /** Returns the row without its end of line; what is not known is left empty. */
  String line() {
    List<String> values = new ArrayList<>();
    values.add(Long.toString(step));
    values.add(String.format(Locale.ROOT, "%.3f", unixTime));
    values.add(text(loss));
    values.add(text(smoothedLoss));
    bucketLosses.forEach(value -> values.add(text(value)));
    values.add(text(gradientNorm));
    values.add(text(learningRate));
    values.add(text(stepSize.orElse(Double.NaN)));
    values.add(text(heldOutLoss.orElse(Double.NaN)));
    values.add(text(seconds));
    values.add(Long.toString(memoryBytes));
    return String.join(",", values);
  }

  /** Reads a row; throws IllegalArgumentException where it is none. */
  static MetricsRow parse(String line) {
    String[] values = line.split(",", -1);
    if (values.length != COLUMNS) {
      throw new IllegalArgumentException(
          "expected " + COLUMNS + " columns, found " + values.length);
    }
    int next = 4;
    List<Double> buckets = new ArrayList<>();
    for (int i = 0; i < SigmaBuckets.COUNT; i++) {
      buckets.add(number(values[next++]));
    }
    return new MetricsRow(
        Long.parseLong(values[0]),
        number(values[1]),
        number(values[2]),
        number(values[3]),
        buckets,
        number(values[next]),
        number(values[next + 1]),
        optional(values[next + 2]),
        optional(values[next + 3]),
        number(values[next + 4]),
        Long.parseLong(values[next + 5]));
  }

  private static String text(double value) {
    return Double.isNaN(value) ? "" : Double.toString(value);
  }

  private static double number(String text) {
    return text.isEmpty() ? Double.NaN : Double.parseDouble(text);
  }

  private static OptionalDouble optional(String text) {
    return text.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(Double.parseDouble(text));
  }
}
