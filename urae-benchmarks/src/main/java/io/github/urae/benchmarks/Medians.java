package io.github.urae.benchmarks;

import java.util.List;

/** Figures of several rounds. */
final class Medians {

  private Medians() {}

  static double median(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(d -> d).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** Returns the median with the smallest and the largest. */
  static String describe(List<Double> values) {
    return String.format(
        "%.2f (%.2f to %.2f in %d rounds)",
        median(values),
        values.stream().mapToDouble(d -> d).min().orElseThrow(),
        values.stream().mapToDouble(d -> d).max().orElseThrow(),
        values.size());
  }
}
