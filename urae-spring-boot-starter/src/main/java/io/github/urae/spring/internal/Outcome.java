package io.github.urae.spring.internal;

import java.util.Locale;

/** How a generation ended. */
public enum Outcome {
  /** With pictures. */
  DRAWN,
  /** Its request was at fault. */
  REFUSED,
  /** Somebody cancelled it. */
  CANCELLED,
  /** Something else was at fault. */
  FAILED;

  /**
   * Returns the value of metrics' tag.
   *
   * @return the name in lower case
   */
  public String tag() {
    return name().toLowerCase(Locale.ROOT);
  }
}
