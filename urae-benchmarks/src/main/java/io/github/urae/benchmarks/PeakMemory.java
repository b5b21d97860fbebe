package io.github.urae.benchmarks;

import java.util.function.DoubleSupplier;

/** Watches an amount of memory from a thread of its own, until it is closed. */
final class PeakMemory implements AutoCloseable {

  private static final long INTERVAL_MILLIS = 10;

  private final Thread watcher = new Thread(this::watch, "peak-memory");
  private final DoubleSupplier megabytes;
  private final double before;
  private volatile double peak;

  private PeakMemory(DoubleSupplier megabytes) {
    this.megabytes = megabytes;
    before = megabytes.getAsDouble();
    peak = before;
  }

  /** Watches the anonymous memory of this process. */
  static PeakMemory watching() {
    return watching(AnonymousMemory::megabytes);
  }

  /** Watches what a supplier says; NaN, of a process that has just ended, changes nothing. */
  static PeakMemory watching(DoubleSupplier megabytes) {
    PeakMemory memory = new PeakMemory(megabytes);
    memory.watcher.setDaemon(true);
    memory.watcher.start();
    return memory;
  }

  private void watch() {
    try {
      while (true) {
        double now = megabytes.getAsDouble();
        peak = now > peak ? now : peak;
        Thread.sleep(INTERVAL_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // Closed.
    }
  }

  /** Returns the most megabytes held since the beginning. */
  double megabytes() {
    return peak;
  }

  /** Returns the same without what was held at the beginning. */
  double growth() {
    return peak - before;
  }

  @Override
  public void close() {
    watcher.interrupt();
  }
}
