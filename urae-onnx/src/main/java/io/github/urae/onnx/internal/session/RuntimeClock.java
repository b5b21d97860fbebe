package io.github.urae.onnx.internal.session;

import java.util.concurrent.atomic.LongAdder;

/** Sums up the time that runs spend inside ONNX Runtime. Thread-safe. */
public final class RuntimeClock {

  private final LongAdder nanos = new LongAdder();

  /** Creates a clock at zero. */
  public RuntimeClock() {}

  void add(long more) {
    nanos.add(more);
  }

  /**
   * Returns the time of all runs so far.
   *
   * @return nanoseconds, summed over sessions and threads
   */
  public long nanos() {
    return nanos.sum();
  }
}
