package io.github.urae.openblas.internal;

import static org.bytedeco.openblas.presets.openblas_nolapack.blas_get_num_threads;
import static org.bytedeco.openblas.presets.openblas_nolapack.blas_set_num_threads;

import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Where work in float64 runs: on a large stack, one at a time, with as many threads as pay. */
final class Computation {

  /** Half a megabyte for each level of the LU factorisation's recursion, and room to spare. */
  private static final long STACK_BYTES = 64L << 20;

  /**
   * Below this order one thread is enough. More would wait for each other at every small step,
   * hundreds of times longer than the step itself takes where the processor has other work, too.
   */
  private static final int LEAST_PARALLEL_ORDER = 1024;

  /** The number of threads is the whole library's: one computation in float64 at a time. */
  private static final Object COMPUTING = new Object();

  private Computation() {}

  /**
   * Runs work on a thread of its own and waits for it. OpenBLAS keeps its threads' job lists on the
   * caller's stack, once for each level of recursion: an LU factorisation overflows the megabyte
   * that Java threads have, which ends the process without a word
   * (https://github.com/OpenMathLib/OpenBLAS/issues/1082).
   *
   * @param order of the matrices that take the time
   */
  static <T> T onLargeStack(int order, Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(() -> withThreads(order, work));
    Thread thread = new Thread(null, task, "urae-openblas", STACK_BYTES);
    thread.setDaemon(true);
    thread.start();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          // The work cannot be stopped midway and reads the caller's arrays: see it through.
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error cause) {
        throw cause;
      }
      throw new CompletionException(e.getCause());
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static <T> T withThreads(int order, Callable<T> work) throws Exception {
    synchronized (COMPUTING) {
      int threads = blas_get_num_threads();
      if (order >= LEAST_PARALLEL_ORDER || threads == 1) {
        return work.call();
      }
      blas_set_num_threads(1);
      try {
        return work.call();
      } finally {
        blas_set_num_threads(threads);
      }
    }
  }
}
