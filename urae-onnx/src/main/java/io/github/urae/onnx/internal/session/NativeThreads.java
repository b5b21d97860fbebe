package io.github.urae.onnx.internal.session;

import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Threads on which sessions are loaded and run, used again while they are younger than some idle
 * seconds. C libraries give each thread a heap of its own out of a few, and what one of these has
 * once held it mostly keeps (glibc: up to 64 MB in each of eight for a core): with a new thread for
 * each run, all heaps would in time become as large as the largest run.
 */
final class NativeThreads {

  private static final long IDLE_SECONDS = 10;

  private static final String IDLE_NAME = "urae-idle";

  private static final ThreadPoolExecutor THREADS =
      new ThreadPoolExecutor(
          0,
          Integer.MAX_VALUE,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new SynchronousQueue<>(),
          NativeThreads::idle);

  private NativeThreads() {}

  /**
   * Runs work at once on a thread that nobody else uses meanwhile.
   *
   * @param name of the thread until the work ends
   * @param work must not throw
   * @throws OutOfMemoryError if there is no memory for one more thread
   */
  static void start(String name, Runnable work) {
    THREADS.execute(
        () -> {
          Thread.currentThread().setName(name);
          try {
            work.run();
          } finally {
            Thread.currentThread().setName(IDLE_NAME);
          }
        });
  }

  /** Nothing of the caller that happened to come first may stay with the thread. */
  private static Thread idle(Runnable work) {
    Thread thread = new Thread(null, work, IDLE_NAME, 0, false);
    thread.setDaemon(true);
    thread.setContextClassLoader(NativeThreads.class.getClassLoader());
    return thread;
  }
}
