package io.github.urae.weights.internal;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import java.time.Duration;
import java.util.Optional;

/**
 * Tells a listener that somebody else has to be done first, and that he is. Says nothing where
 * nobody has to wait. Not thread-safe.
 */
final class WaitReporter {

  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final long start = System.nanoTime();
  private boolean waited;

  WaitReporter(ProgressListener listener, CancellationToken cancellation) {
    this.listener = listener;
    this.cancellation = cancellation;
  }

  /**
   * Reports that the wait goes on.
   *
   * @throws io.github.urae.GenerationCancelledException if it was cancelled
   */
  void report() {
    cancellation.throwIfCancelled();
    waited = true;
    tell(0);
  }

  /** Reports that the wait is over, if there was one. */
  void end() {
    if (waited) {
      tell(1);
    }
  }

  private void tell(long done) {
    listener.onProgress(
        new StageProgress(
            Stage.WAITING,
            Optional.empty(),
            done,
            1,
            StageProgress.Unit.TURNS,
            Duration.ofNanos(System.nanoTime() - start),
            Optional.empty()));
  }
}
