package io.github.urae.server.internal.picture;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Lets one picture at a time be decoded, since a large one takes some hundred megabytes meanwhile.
 * Not to be entered twice by a thread. Thread-safe.
 */
public final class DecodingTurn {

  private final Semaphore turn = new Semaphore(1, true);

  /** Creates a turn that is free. */
  public DecodingTurn() {}

  /** Decodes, and does what has to be done while a picture is in memory. */
  @FunctionalInterface
  public interface Work<R> {
    /** Returns something else than null. */
    R get() throws IOException;
  }

  /** Works after waiting for as long as it takes. */
  <R> R await(Work<R> work) throws IOException {
    turn.acquireUninterruptibly();
    return worked(work);
  }

  /**
   * Works after waiting.
   *
   * @param patience how long
   * @return what came of it; empty if the turn did not come
   */
  public <R> Optional<R> tryFor(Duration patience, Work<R> work)
      throws IOException, InterruptedException {
    if (!turn.tryAcquire(patience.toMillis(), TimeUnit.MILLISECONDS)) {
      return Optional.empty();
    }
    return Optional.of(worked(work));
  }

  private <R> R worked(Work<R> work) throws IOException {
    try {
      return work.get();
    } finally {
      turn.release();
    }
  }
}
