package io.github.urae.server.internal.job;

import java.util.Locale;

/** How far a job is. */
public enum JobStatus {
  /** Waits for its turn. */
  QUEUED,
  /** Is being drawn. */
  GENERATING,
  /** Its pictures are there. */
  COMPLETED,
  /** Ended with an error. */
  FAILED,
  /** Was ended by its caller. */
  CANCELLED;

  /** Returns the name that callers see. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Tells whether nothing will change any more. */
  public boolean isFinal() {
    return this != QUEUED && this != GENERATING;
  }

  /** Reads what {@link #id()} writes. */
  static JobStatus of(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT));
  }
}
