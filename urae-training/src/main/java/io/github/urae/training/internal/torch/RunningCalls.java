package io.github.urae.training.internal.torch;

import io.github.urae.GenerationCancelledException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls into libtorch that are under way. When the process ends, its C++ statics are destroyed
 * under whatever still computes, and that crashes: a shutdown hook waits for the calls, and steps
 * end at their next block. Calls that only take results out still work meanwhile, for hooks that
 * save.
 */
final class RunningCalls {

  private static final Logger LOG = LoggerFactory.getLogger(RunningCalls.class);

  /** A block of FLUX.1 over 66,048 tokens takes minutes on a CPU. */
  private static final long MOST_SECONDS = 120;

  private static final Object LOCK = new Object();
  private static int running;
  private static volatile boolean ending;

  static {
    try {
      Runtime.getRuntime()
          .addShutdownHook(new Thread(RunningCalls::awaitAll, "urae-training-shutdown"));
    } catch (IllegalStateException e) {
      LOG.debug("The process is ending already", e);
      ending = true;
    }
  }

  private RunningCalls() {}

  /** Makes a call that the end of the process waits for. */
  static <T, E extends Exception> T during(TorchFailure.Computation<T, E> call) throws E {
    synchronized (LOCK) {
      running++;
    }
    try {
      return call.get();
    } finally {
      synchronized (LOCK) {
        running--;
        LOCK.notifyAll();
      }
    }
  }

  /**
   * Ends a step of a process that ends.
   *
   * @throws GenerationCancelledException if it does
   */
  static void throwIfEnding() {
    if (ending) {
      throw new GenerationCancelledException("cancelled: the process ends");
    }
  }

  private static void awaitAll() {
    ending = true;
    long last = System.nanoTime() + TimeUnit.SECONDS.toNanos(MOST_SECONDS);
    synchronized (LOCK) {
      while (running > 0) {
        long left = TimeUnit.NANOSECONDS.toMillis(last - System.nanoTime());
        if (left <= 0) {
          LOG.warn("A training step still runs while the process ends, which may crash it");
          return;
        }
        try {
          LOCK.wait(left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return;
        }
      }
    }
  }
}
