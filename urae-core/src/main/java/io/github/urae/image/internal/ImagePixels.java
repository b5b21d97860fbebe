package io.github.urae.image.internal;

import io.github.urae.InvalidRequestException;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.Raster;

/** Pixels out of Java's pictures of any kind. */
public final class ImagePixels {

  private ImagePixels() {}

  /**
   * Copies the pixels of a picture. Levels of grey stay as they are, of 16 bits the upper 8 are
   * taken; other colour spaces than sRGB are converted to it.
   *
   * @return 0x00RRGGBB, row by row
   * @throws InvalidRequestException if a pixel is transparent, for its colour is then arbitrary
   */
  public static int[] of(BufferedImage image) {
    int width = image.getWidth();
    int height = image.getHeight();
    ColorModel colours = image.getColorModel();
    int[] pixels = new int[Math.multiplyExact(width, height)];
    boolean components = colours instanceof ComponentColorModel;
    int kind = colours.getColorSpace().getType();
    int bits = colours.getComponentSize(0);
    if (components && kind == ColorSpace.TYPE_GRAY && colours.getNumColorComponents() == 1) {
      // Java takes grey for linear light and would brighten it.
      readLevels(image.getRaster(), new int[] {0, 0, 0}, bits, pixels);
    } else if (components && bits == Short.SIZE && colours.getColorSpace().isCS_sRGB()) {
      readLevels(image.getRaster(), new int[] {0, 1, 2}, bits, pixels);
    } else {
      image.getRGB(0, 0, width, height, pixels, 0, width);
    }
    if (colours.hasAlpha()) {
      checkOpaque(image);
    }
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] &= 0xFFFFFF;
    }
    return pixels;
  }

  private static void readLevels(Raster raster, int[] bands, int bits, int[] pixels) {
    int width = raster.getWidth();
    int[] row = new int[width];
    int most = (1 << bits) - 1;
    for (int y = 0; y < raster.getHeight(); y++) {
      for (int band = 0; band < bands.length; band++) {
        raster.getSamples(raster.getMinX(), raster.getMinY() + y, width, 1, bands[band], row);
        int shift = 16 - 8 * band;
        for (int x = 0; x < width; x++) {
          int level = bits == Short.SIZE ? row[x] >> 8 : (row[x] * 255 + most / 2) / most;
          pixels[y * width + x] |= level << shift;
        }
      }
    }
  }

  private static void checkOpaque(BufferedImage image) {
    int[] row = new int[image.getWidth()];
    for (int y = 0; y < image.getHeight(); y++) {
      image.getRGB(0, y, row.length, 1, row, 0, row.length);
      for (int x = 0; x < row.length; x++) {
        if (row[x] >>> 24 != 0xFF) {
          throw InvalidRequestException.of(
              "start.image",
              "initial image: expected opaque pixels, found opacity "
                  + (row[x] >>> 24)
                  + " of 255 at column "
                  + x
                  + ", row "
                  + y
                  + "; put the picture on a background first");
        }
      }
    }
  }
}
