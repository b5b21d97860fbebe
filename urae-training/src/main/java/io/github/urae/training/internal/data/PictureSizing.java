package io.github.urae.training.internal.data;

import io.github.urae.InvalidRequestException;
import io.github.urae.image.ResizeFilter;
import io.github.urae.image.RgbImage;
import java.util.OptionalInt;

/**
 * The sizes that pictures are brought to, as URAE's {@code cache_latent_codes.py} does: the long
 * side becomes the resolution, the short one that of the nearest of 1:1, 4:3, 2:1 and 4:1.
 *
 * @param resolution pixels of the long side; empty keeps sizes
 * @param crop whether what is too much on one side is cut off, equally at both ends, and nothing is
 *     stretched
 * @param enlarge whether pictures may be made larger
 */
public record PictureSizing(OptionalInt resolution, boolean crop, boolean enlarge) {

  /** Pixels of a token; the sides of pictures are multiples of it. */
  private static final int UNIT = 16;

  /** So that a quarter of it is a multiple of a token's pixels. */
  private static final int RESOLUTION_UNIT = 4 * UNIT;

  /** So that latents have fewer elements than an array. */
  private static final int LARGEST = 1 << 14;

  /** Quarters of the long side that the short one may take, by falling preference. */
  private static final int[] QUARTERS = {4, 3, 2, 1};

  /** Checks the resolution. */
  public PictureSizing {
    if (resolution.isPresent()) {
      int value = resolution.getAsInt();
      if (value < RESOLUTION_UNIT || value % RESOLUTION_UNIT != 0 || value > LARGEST) {
        int nearest = Math.max(1, Math.round((float) value / RESOLUTION_UNIT)) * RESOLUTION_UNIT;
        throw new InvalidRequestException(
            "resolution: expected a multiple of "
                + RESOLUTION_UNIT
                + " pixels up to "
                + LARGEST
                + ", so that 4:1 pictures have whole tokens, found "
                + value
                + (value > 0 ? "; nearest is " + Math.min(LARGEST, nearest) : ""));
      }
    }
  }

  /** Returns what is kept in a cache's metadata. */
  String resolutionName() {
    return resolution.isPresent() ? Integer.toString(resolution.getAsInt()) : "own";
  }

  /** Returns what is kept in a cache's metadata. */
  String fitName() {
    return crop ? "crop" : "stretch";
  }

  /**
   * Tells whether latents may be those of a picture that was brought to size.
   *
   * @param height in pixels
   * @param width in pixels
   */
  boolean mayGive(long height, long width) {
    if (resolution.isEmpty()) {
      return height % UNIT == 0 && width % UNIT == 0;
    }
    long side = resolution.getAsInt();
    long shorter = Math.min(height, width);
    return Math.max(height, width) == side && shorter * 4 % side == 0 && shorter > 0;
  }

  /** Width and height. */
  record Size(int width, int height) {
    @Override
    public String toString() {
      return width + "x" + height;
    }
  }

  /** Returns the size that a picture is brought to. */
  Size target(int width, int height) {
    if (resolution.isEmpty()) {
      return crop ? new Size(width / UNIT * UNIT, height / UNIT * UNIT) : new Size(width, height);
    }
    int side = resolution.getAsInt();
    boolean upright = width < height;
    double ratio = upright ? (double) height / width : (double) width / height;
    int shorter = side;
    double least = Double.POSITIVE_INFINITY;
    for (int quarters : QUARTERS) {
      int candidate = side * quarters / 4;
      double difference = Math.abs((double) side / candidate - ratio);
      if (difference < least) {
        least = difference;
        shorter = candidate;
      }
    }
    return upright ? new Size(shorter, side) : new Size(side, shorter);
  }

  /** Tells whether some side has to grow. */
  boolean enlarges(RgbImage image) {
    if (resolution.isEmpty()) {
      return false;
    }
    Size target = target(image.width(), image.height());
    return target.width > image.width() || target.height > image.height();
  }

  /**
   * Brings a picture to size.
   *
   * @throws InvalidRequestException if that is not possible, or not wanted
   */
  RgbImage applied(RgbImage image) {
    Size target = target(image.width(), image.height());
    if (target.width == 0 || target.height == 0) {
      throw new InvalidRequestException(
          "too small: expected at least 16x16 pixels, found " + image);
    }
    if (!enlarge && enlarges(image)) {
      throw new InvalidRequestException(
          "too small: would have to be enlarged to " + target + " pixels, found " + image);
    }
    if (resolution.isEmpty() && !crop) {
      if (target.width % UNIT != 0 || target.height % UNIT != 0) {
        throw new InvalidRequestException(
            "odd size: expected multiples of 16 pixels, found "
                + image
                + "; crop to them, or set a resolution");
      }
      return image;
    }
    RgbImage part = image;
    if (crop) {
      part = resolution.isEmpty() ? centre(image, target) : inProportion(image, target);
    }
    return part.resized(target.width, target.height, ResizeFilter.BICUBIC);
  }

  private static RgbImage centre(RgbImage image, Size size) {
    return image.cropped(
        (image.width() - size.width) / 2,
        (image.height() - size.height) / 2,
        size.width,
        size.height);
  }

  /** Returns the largest part in the middle that has the proportions of a size. */
  private static RgbImage inProportion(RgbImage image, Size target) {
    long width = Math.round((double) image.height() * target.width / target.height);
    long height = Math.round((double) image.width() * target.height / target.width);
    return width <= image.width()
        ? centre(image, new Size((int) Math.max(1, width), image.height()))
        : centre(
            image, new Size(image.width(), (int) Math.max(1, Math.min(height, image.height()))));
  }
}
