package io.github.urae.adapter;

import io.github.urae.AdapterException;
import java.nio.file.Path;

/**
 * An adapter file and how strongly it is applied.
 *
 * @param path a {@code .safetensors} file
 * @param scale what the change is multiplied by, finite; 1 applies it as trained, 0 not at all
 */
public record AdapterSpec(Path path, double scale) {

  /**
   * Checks the scale.
   *
   * @param path as above
   * @param scale as above
   */
  public AdapterSpec {
    if (!Double.isFinite(scale)) {
      throw new AdapterException(path + ": expected a finite scale, found " + scale);
    }
  }

  /**
   * Reads a file and scale as people write them.
   *
   * @param text {@code FILE} or {@code FILE=SCALE}
   * @return the adapter; with scale 1 where none is given
   */
  public static AdapterSpec parse(String text) {
    int sign = text.lastIndexOf('=');
    if (sign > 0) {
      try {
        return new AdapterSpec(
            Path.of(text.substring(0, sign)), Double.parseDouble(text.substring(sign + 1)));
      } catch (NumberFormatException e) {
        // The sign belongs to the file's name.
        return new AdapterSpec(Path.of(text), 1);
      }
    }
    return new AdapterSpec(Path.of(text), 1);
  }

  /** Returns the adapter as in {@code FILE=SCALE}. */
  @Override
  public String toString() {
    return path + "=" + scale;
  }
}
