package io.github.urae.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Resident memory of a process, as Linux counts it: what is not a file's pages, and what is. */
final class AnonymousMemory {

  private AnonymousMemory() {}

  /** Returns megabytes that this process holds now, or NaN where the system is not Linux. */
  static double megabytes() {
    return megabytes(ProcessHandle.current().pid());
  }

  /** Returns megabytes that a process holds now; NaN if it is over, or the system not Linux. */
  static double megabytes(long process) {
    return read(process, "RssAnon:");
  }

  /** Returns megabytes of files that a process has mapped and in memory; NaN as above. */
  static double mappedMegabytes(long process) {
    return read(process, "RssFile:");
  }

  private static double read(long process, String field) {
    Path status = Path.of("/proc", Long.toString(process), "status");
    if (!Files.exists(status)) {
      return Double.NaN;
    }
    try {
      return Files.readAllLines(status).stream()
          .filter(line -> line.startsWith(field))
          .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) / 1024)
          .findFirst()
          .orElse(Double.NaN);
    } catch (IOException e) {
      return Double.NaN;
    }
  }
}
