package io.github.urae.server.internal.job;

import java.time.Instant;
import java.util.Optional;

/**
 * A job as the database has it. Immutable.
 *
 * @param id 32 hexadecimal digits, not to be guessed
 * @param number grows from job to job
 * @param kind what it starts from
 * @param status how far it is
 * @param attached whether its caller waits on a connection, and with that it ends
 * @param attempts how often it was begun
 * @param created when it was asked for
 * @param started when it was begun
 * @param completed when it ended
 * @param drawing {@link Drawing#toText()}
 * @param pictures how many are there
 * @param failure why it failed
 */
public record Job(
    String id,
    long number,
    JobKind kind,
    JobStatus status,
    boolean attached,
    int attempts,
    Instant created,
    Optional<Instant> started,
    Optional<Instant> completed,
    String drawing,
    int pictures,
    Optional<JobFailure> failure) {

  /** Returns what is drawn, without the picture that it starts from, of which one pixel is told. */
  public Drawing settings() {
    return Drawing.of(
        drawing, Drawing.hasStart(drawing) ? Optional.of(Drawing.NO_PICTURE) : Optional.empty());
  }
}
