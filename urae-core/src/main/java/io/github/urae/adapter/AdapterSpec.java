package io.github.urae.adapter;

import io.github.urae.AdapterException;
import io.github.urae.internal.ScaledName;
import java.nio.file.Path;

/**
 * An adapter file and how strongly it is applied.
 *
 * @param path a {@code .safetensors} file, or a folder with one adapter
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
   * Reads a file and scale as people write them. A file's name may itself end in {@code =NUMBER}:
   * which of the two readings is meant is told by which file exists. Where neither does, the number
   * is a scale; where both do, write the scale in any case, as in {@code lora_alpha=16=1}.
   *
   * @param text {@code FILE} or {@code FILE=SCALE}
   * @return the adapter; with scale 1 where none is given
   * @throws AdapterException if both files exist, or the scale is not finite
   * @throws java.nio.file.InvalidPathException if the system has no files of such a name
   */
  public static AdapterSpec parse(String text) {
    ScaledName named = ScaledName.parse(text);
    return new AdapterSpec(Path.of(named.name()), named.scale());
  }

  /** Returns the adapter as in {@code FILE=SCALE}. */
  @Override
  public String toString() {
    return path + "=" + scale;
  }
}
