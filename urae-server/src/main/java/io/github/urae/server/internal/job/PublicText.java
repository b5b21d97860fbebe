package io.github.urae.server.internal.job;

import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Pattern;

/** Messages as callers may see them: where files of this machine lie is nobody's business. */
public final class PublicText {

  /** Two names or more after the beginning of a file system. */
  private static final Pattern PATH =
      Pattern.compile("(?<![\\w.:/<])/[^\\s/'\"]+/[^\\s'\"]*|\\b[A-Za-z]:\\\\|\\\\\\\\\\w");

  private PublicText() {}

  /**
   * Returns a message without paths.
   *
   * @param message of an exception
   * @param names what files are called instead
   * @param otherwise said where a path remains
   */
  public static String of(String message, Map<String, Path> names, String otherwise) {
    if (message == null) {
      return otherwise;
    }
    String told = message;
    for (Map.Entry<String, Path> name : names.entrySet()) {
      told = told.replace(name.getValue().toString(), name.getKey());
    }
    return PATH.matcher(told).find() ? otherwise : told;
  }
}
