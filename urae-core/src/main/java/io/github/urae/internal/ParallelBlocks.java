package io.github.urae.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Works on all processors, block by block. Each thread has a worker of its own, kept from one call
 * to the next. For one caller at a time; not thread-safe.
 *
 * @param <W> a thread's own memory
 */
public final class ParallelBlocks<W> {

  /** What is done with one block. */
  @FunctionalInterface
  public interface Task<W> {
    /**
     * Does it.
     *
     * @param worker the thread's own
     * @param block its number, from 0
     */
    void run(W worker, int block);
  }

  private final Supplier<W> newWorker;
  private final List<W> workers = new ArrayList<>();

  /**
   * Starts nothing yet.
   *
   * @param newWorker makes a thread's memory
   */
  public ParallelBlocks(Supplier<W> newWorker) {
    this.newWorker = newWorker;
  }

  /**
   * Runs a task for each of the numbers from 0 on; returns when all are done or one has failed.
   *
   * @param blocks how many there are
   * @param task what is done with each
   */
  public void run(int blocks, Task<W> task) {
    int parallel = Math.min(blocks, Runtime.getRuntime().availableProcessors());
    while (workers.size() < parallel) {
      workers.add(newWorker.get());
    }
    AtomicInteger next = new AtomicInteger();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    IntStream.range(0, parallel)
        .parallel()
        .forEach(
            number -> {
              try {
                W worker = workers.get(number);
                int block;
                while (failure.get() == null && (block = next.getAndIncrement()) < blocks) {
                  task.run(worker, block);
                }
              } catch (Throwable e) {
                // Thrown further here it would end the loop while others still use the memory.
                failure.compareAndSet(null, e);
              }
            });
    if (failure.get() instanceof RuntimeException e) {
      throw e;
    }
    if (failure.get() instanceof Error e) {
      throw e;
    }
  }
}
