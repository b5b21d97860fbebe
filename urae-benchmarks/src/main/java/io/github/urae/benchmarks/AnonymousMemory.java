package io.github.urae.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Anonymous resident memory of this process, as Linux counts it: what is not a file's pages. */
final class AnonymousMemory {

  private static final Path STATUS = Path.of("/proc/self/status");

  private AnonymousMemory() {}

  /** Returns megabytes held now, or NaN where the system is not Linux. */
  static double megabytes() {
    if (!Files.exists(STATUS)) {
      return Double.NaN;
    }
    try {
      return Files.readAllLines(STATUS).stream()
          .filter(line -> line.startsWith("RssAnon:"))
          .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) / 1024)
          .findFirst()
          .orElse(Double.NaN);
    } catch (IOException e) {
      return Double.NaN;
    }
  }
}
