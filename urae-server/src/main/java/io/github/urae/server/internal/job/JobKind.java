package io.github.urae.server.internal.job;

import java.util.Locale;

/** What a job starts from. */
public enum JobKind {
  /** From words. */
  GENERATION,
  /** From words and a picture. */
  EDIT;

  /** Returns the name that callers see. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Reads what {@link #id()} writes. */
  static JobKind of(String id) {
    return valueOf(id.toUpperCase(Locale.ROOT));
  }
}
