package io.github.urae.internal;

import java.nio.file.Path;

/** Where derived files lie unless the user says otherwise. */
public final class CacheFolder {

  private CacheFolder() {}

  /**
   * Returns the default folder: {@code $XDG_CACHE_HOME/urae}, or {@code ~/.cache/urae}.
   *
   * @return its path; it need not exist
   */
  public static Path byDefault() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    // The XDG specification: a relative path is invalid and ignored.
    Path base =
        xdg != null && Path.of(xdg).isAbsolute()
            ? Path.of(xdg)
            : Path.of(System.getProperty("user.home"), ".cache");
    return base.resolve("urae");
  }
}
