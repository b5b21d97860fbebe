package io.github.urae.server.internal.job;

import java.time.Duration;

/** No more jobs may wait. */
public final class QueueFullException extends Exception {

  private static final long serialVersionUID = 1L;

  private final transient Duration retryAfter;

  QueueFullException(int queued, Duration retryAfter) {
    super(queued + " jobs wait already");
    this.retryAfter = retryAfter;
  }

  /** Returns when there may be room again. */
  public Duration retryAfter() {
    return retryAfter;
  }
}
