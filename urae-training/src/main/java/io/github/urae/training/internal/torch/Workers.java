package io.github.urae.training.internal.torch;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Threads that compute at the same time; with one, whoever calls computes. */
final class Workers implements AutoCloseable {

  private final ExecutorService threads;

  Workers(int count) {
    AtomicInteger number = new AtomicInteger();
    threads =
        count == 1
            ? null
            : Executors.newFixedThreadPool(
                count,
                work -> {
                  Thread thread =
                      new Thread(work, "urae-training-worker-" + number.incrementAndGet());
                  thread.setDaemon(true);
                  return thread;
                });
  }

  /** Does all of some work, also where something fails, and throws the first failure then. */
  void run(List<Runnable> work) {
    if (threads == null) {
      work.forEach(Runnable::run);
      return;
    }
    List<Future<?>> begun = new ArrayList<>();
    work.forEach(each -> begun.add(threads.submit(each)));
    Throwable failure = null;
    boolean interrupted = false;
    for (Future<?> each : begun) {
      boolean done = false;
      while (!done) {
        try {
          each.get();
          done = true;
        } catch (ExecutionException e) {
          failure = failure == null ? e.getCause() : failure;
          done = true;
        } catch (InterruptedException e) {
          interrupted = true; // Native code would go on in what is freed.
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure != null) {
      throw (RuntimeException) failure;
    }
  }

  @Override
  public void close() {
    if (threads != null) {
      threads.shutdown();
    }
  }
}
