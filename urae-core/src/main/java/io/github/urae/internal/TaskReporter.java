package io.github.urae.internal;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.TaskProgress;
import java.time.Duration;

/**
 * Counts the bytes of one task and tells a listener, a few times a second at most. Checks for
 * cancellation whenever it counts. Not thread-safe.
 */
public final class TaskReporter {

  private static final long INTERVAL_NANOS = 200_000_000;

  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final String task;
  private final long total;
  private final long start = System.nanoTime();
  private long done;
  private long lastReport = start;

  /**
   * Starts a task and reports its beginning.
   *
   * @param listener hears of it, on the calling thread
   * @param cancellation ends it
   * @param task what is done, in words
   * @param total bytes in all
   */
  public TaskReporter(
      ProgressListener listener, CancellationToken cancellation, String task, long total) {
    this.listener = listener;
    this.cancellation = cancellation;
    this.task = task;
    this.total = total;
    report(start);
  }

  /**
   * Counts bytes as done.
   *
   * @param bytes how many more
   * @throws GenerationCancelledException if the task was cancelled
   */
  public void advance(long bytes) {
    cancellation.throwIfCancelled();
    done += bytes;
    long now = System.nanoTime();
    if (done >= total || now - lastReport >= INTERVAL_NANOS) {
      report(now);
    }
  }

  private void report(long now) {
    lastReport = now;
    listener.onTask(new TaskProgress(task, done, total, Duration.ofNanos(now - start)));
  }
}
