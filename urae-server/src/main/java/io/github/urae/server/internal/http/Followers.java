package io.github.urae.server.internal.http;

import io.github.urae.server.ServerSettings;
import java.time.Duration;
import java.util.concurrent.Semaphore;

/**
 * Places for callers who follow a job, since each of them keeps a thread for as long as he likes.
 * Thread-safe.
 */
final class Followers {

  private static final int LEAST = 16;

  private static final Duration RETRY_AFTER = Duration.ofSeconds(5);

  private final int most;
  private final Semaphore places;

  Followers(ServerSettings settings) {
    this.most = most(settings);
    this.places = new Semaphore(most);
  }

  /** Returns how many there may be: one for each job that waits. */
  static int most(ServerSettings settings) {
    return Math.max(LEAST, settings.maxQueued());
  }

  /** A place that is given back when it is closed. */
  @FunctionalInterface
  interface Place extends AutoCloseable {
    @Override
    void close();
  }

  /** Takes a place, or refuses where there is none. */
  Place enter() {
    if (!places.tryAcquire()) {
      throw ApiException.later(
          429,
          "too_many_followers",
          RETRY_AFTER,
          most + " callers follow jobs already; ask for the job's status instead, or try again");
    }
    return places::release;
  }
}
