package io.github.urae.internal;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.internal.recording.FlightRecording;
import java.time.Duration;
import java.util.Optional;

/**
 * Counts the bytes of one task and tells a listener, a few times a second at most. Checks for
 * cancellation whenever it counts. Not thread-safe.
 */
public final class TaskReporter {

  private static final long INTERVAL_NANOS = 200_000_000;

  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final Stage stage;
  private final Optional<String> component;
  private final long total;
  private final long start = System.nanoTime();
  private long done;
  private long lastReport = start;
  private final FlightRecording.Span recorded;

  /**
   * Starts a task that concerns several networks, and reports its beginning.
   *
   * @param listener hears of it, on the calling thread
   * @param cancellation ends it
   * @param stage what is done
   * @param total bytes in all
   */
  public TaskReporter(
      ProgressListener listener, CancellationToken cancellation, Stage stage, long total) {
    this(listener, cancellation, stage, Optional.empty(), total);
  }

  /**
   * Starts a task on one network, and reports its beginning.
   *
   * @param listener hears of it, on the calling thread
   * @param cancellation ends it
   * @param stage what is done
   * @param component id of the network
   * @param total bytes in all
   */
  public TaskReporter(
      ProgressListener listener,
      CancellationToken cancellation,
      Stage stage,
      String component,
      long total) {
    this(listener, cancellation, stage, Optional.of(component), total);
  }

  private TaskReporter(
      ProgressListener listener,
      CancellationToken cancellation,
      Stage stage,
      Optional<String> component,
      long total) {
    this.listener = listener;
    this.cancellation = cancellation;
    this.stage = stage;
    this.component = component;
    this.total = total;
    recorded = FlightRecording.stage(stage, component, total);
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
    boolean before = done < total;
    done += bytes;
    if (before && done >= total) {
      recorded.end();
    }
    long now = System.nanoTime();
    if (done >= total || now - lastReport >= INTERVAL_NANOS) {
      report(now);
    }
  }

  private void report(long now) {
    lastReport = now;
    long elapsed = now - start;
    Optional<Duration> remaining =
        done == 0
            ? Optional.empty()
            : Optional.of(Duration.ofNanos((long) ((double) elapsed / done * (total - done))));
    listener.onProgress(
        new StageProgress(
            stage,
            component,
            done,
            total,
            StageProgress.Unit.BYTES,
            Duration.ofNanos(elapsed),
            remaining));
  }
}
