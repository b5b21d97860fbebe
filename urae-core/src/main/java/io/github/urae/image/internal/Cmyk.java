package io.github.urae.image.internal;

import java.awt.image.Raster;
import java.util.function.Consumer;

/**
 * Pictures in printing inks to red, green and blue, to the last bit as Pillow does it: {@code
 * convert("RGB")}. JPEG files hold inks upside down, as Adobe's programs write them: 255 is none.
 */
final class Cmyk {

  private Cmyk() {}

  /**
   * Converts what a JPEG file holds.
   *
   * @param inks four bands of 8 bits, upside down
   * @param luminance whether the first three are luminance and colour differences (YCCK)
   */
  static DecodedPicture ofJpeg(Raster inks, boolean luminance) {
    return converted(
        inks,
        row -> {
          for (int i = 0; i < row.length; i += 4) {
            if (luminance) {
              inkInPlace(row, i);
            }
            for (int ink = 0; ink < 4; ink++) {
              row[i + ink] = 255 - row[i + ink];
            }
          }
        });
  }

  /** Converts four bands of 8 bits that are not upside down. */
  static DecodedPicture ofTiff(Raster inks) {
    return converted(inks, row -> {});
  }

  private static DecodedPicture converted(Raster inks, Consumer<int[]> turnInPlace) {
    int width = inks.getWidth();
    int[] pixels = new int[Math.multiplyExact(width, inks.getHeight())];
    int[] row = new int[4 * width];
    for (int y = 0; y < inks.getHeight(); y++) {
      inks.getPixels(inks.getMinX(), inks.getMinY() + y, width, 1, row);
      turnInPlace.accept(row);
      for (int x = 0; x < width; x++) {
        int light = 255 - row[4 * x + 3];
        pixels[y * width + x] =
            colour(row[4 * x], light) << 16
                | colour(row[4 * x + 1], light) << 8
                | colour(row[4 * x + 2], light);
      }
    }
    return new DecodedPicture(width, inks.getHeight(), pixels);
  }

  /**
   * Turns luminance and differences to inks, as libjpeg does: to colours, and those upside down.
   */
  private static void inkInPlace(int[] row, int i) {
    int luminance = row[i];
    int blue = row[i + 1] - 128;
    int red = row[i + 2] - 128;
    row[i] = 255 - limited(luminance + ((91881 * red + 32768) >> 16));
    row[i + 1] = 255 - limited(luminance + ((-22554 * blue - 46802 * red + 32768) >> 16));
    row[i + 2] = 255 - limited(luminance + ((116130 * blue + 32768) >> 16));
  }

  /** Takes an ink of 0 to 255 off the light that black leaves. */
  private static int colour(int ink, int light) {
    int product = ink * light + 128;
    return limited(light - (((product >> 8) + product) >> 8));
  }

  private static int limited(int level) {
    return Math.max(0, Math.min(255, level));
  }
}
