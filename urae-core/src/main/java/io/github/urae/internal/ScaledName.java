package io.github.urae.internal;

import io.github.urae.AdapterException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * An adapter and its scale as people write them: {@code NAME} or {@code NAME=SCALE}. The name may
 * be anything, and need not be a path: no id of Hugging Face with a colon is one on Windows.
 *
 * @param name of a file or something else, as it was written
 * @param scale any number; 1 where none is given
 */
public record ScaledName(String name, double scale) {

  /**
   * Tells name and scale apart. A file's name may itself end in {@code =NUMBER}: which of the two
   * readings is meant is told by which file exists. Where neither does, the number is a scale.
   *
   * @param text as it was written
   * @return its two parts
   * @throws AdapterException if both files exist
   */
  public static ScaledName parse(String text) {
    int sign = text.lastIndexOf('=');
    if (sign < 1) {
      return new ScaledName(text, 1);
    }
    double scale;
    try {
      scale = Double.parseDouble(text.substring(sign + 1));
    } catch (NumberFormatException e) {
      return new ScaledName(text, 1);
    }
    String file = text.substring(0, sign);
    if (!exists(text)) {
      return new ScaledName(file, scale);
    }
    if (exists(file)) {
      throw new AdapterException(
          text
              + ": both "
              + file
              + " and "
              + text
              + " exist; write '"
              + text
              + "=1' for the second; the first, with its scale, in another form of the number");
    }
    return new ScaledName(text, 1);
  }

  private static boolean exists(String text) {
    try {
      return Files.exists(Path.of(text));
    } catch (InvalidPathException e) {
      // No file has such a name.
      return false;
    }
  }
}
