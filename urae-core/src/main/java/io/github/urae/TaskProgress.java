package io.github.urae;

import java.time.Duration;
import java.util.Optional;

/**
 * How far a task over bytes has come.
 *
 * @param task what is done, in words, for instance {@code "converting transformer to F32"}
 * @param done bytes done
 * @param total bytes in all
 * @param elapsed time since the task began
 */
public record TaskProgress(String task, long done, long total, Duration elapsed) {

  /**
   * Estimates the remaining time from the speed so far.
   *
   * @return the estimate, or empty while there is nothing to go by
   */
  public Optional<Duration> remaining() {
    if (done <= 0 || elapsed.isZero()) {
      return Optional.empty();
    }
    double rate = (double) elapsed.toNanos() / done;
    return Optional.of(Duration.ofNanos((long) (rate * (total - done))));
  }

  /**
   * Tells whether all is done.
   *
   * @return true for the last report of a task
   */
  public boolean isComplete() {
    return done >= total;
  }
}
