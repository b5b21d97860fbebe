package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.image.RgbImage;
import java.util.Objects;

/**
 * A picture to start from instead of noise.
 *
 * @param image of any size; resized to the generation's with Lanczos' filter
 * @param strength how much of the schedule runs, in (0, 1]: 1 leaves nothing of the picture, 0.3
 *     changes details
 */
public record InitialImage(RgbImage image, double strength) implements Start {

  /**
   * Checks the range.
   *
   * @param image as above
   * @param strength as above
   */
  public InitialImage {
    Objects.requireNonNull(image, "image");
    checkStrength(strength);
  }

  static void checkStrength(double strength) {
    if (!(strength > 0 && strength <= 1)) {
      throw InvalidRequestException.of(
          "start.strength", "strength: expected a number above 0, at most 1, found " + strength);
    }
  }
}
