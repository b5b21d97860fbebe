package io.github.urae.benchmarks;

/** Watches the anonymous memory of this process from a thread of its own, until it is closed. */
final class PeakMemory implements AutoCloseable {

  private static final long INTERVAL_MILLIS = 5;

  private final Thread watcher = new Thread(this::watch, "peak-memory");
  private final double before = AnonymousMemory.megabytes();
  private volatile double peak = before;

  private PeakMemory() {}

  static PeakMemory watching() {
    PeakMemory memory = new PeakMemory();
    memory.watcher.setDaemon(true);
    memory.watcher.start();
    return memory;
  }

  private void watch() {
    try {
      while (true) {
        peak = Math.max(peak, AnonymousMemory.megabytes());
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
