package io.github.urae.training;

import java.nio.file.Path;

/**
 * Something in a folder that is not trained on.
 *
 * @param file the picture, or the file that names it
 * @param reason why not, and the way out
 */
public record SkippedPicture(Path file, String reason) {

  /** Returns both in one line. */
  @Override
  public String toString() {
    return file + ": " + reason;
  }
}
