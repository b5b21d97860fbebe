package io.github.urae.image;

/**
 * Resizing as Pillow does it: a filter, widened where the picture shrinks so that nothing is
 * skipped; columns first, then rows, each rounded to 8 bits; weights in fixed point.
 *
 * @see <a
 *     href="https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c">Pillow:
 *     {@code Resample.c}</a>
 */
final class PillowResize {

  /** Fraction bits of a weight: 32, less 8 of the colour and 2 for sums beyond its range. */
  private static final int FRACTION_BITS = 22;

  /** Which pixels of a line make one new pixel: a range of them, and their weights. */
  private static final class Taps {
    final int first;
    final int[] weights;

    Taps(int first, int[] weights) {
      this.first = first;
      this.weights = weights;
    }
  }

  private PillowResize() {}

  static RgbImage resize(RgbImage image, int width, int height, ResizeFilter filter) {
    RgbImage wide =
        width == image.width() ? image : columnsResized(image, taps(image.width(), width, filter));
    return height == image.height()
        ? wide
        : rowsResized(wide, taps(image.height(), height, filter));
  }

  private static Taps[] taps(int from, int to, ResizeFilter filter) {
    double scale = (double) from / to;
    double spread = Math.max(1, scale);
    double support = filter.support() * spread;
    Taps[] taps = new Taps[to];
    for (int i = 0; i < to; i++) {
      double centre = (i + 0.5) * scale;
      int first = Math.max(0, (int) (centre - support + 0.5));
      int end = Math.min(from, (int) (centre + support + 0.5));
      taps[i] = new Taps(first, weights(first, end, centre, spread, filter));
    }
    return taps;
  }

  private static int[] weights(
      int first, int end, double centre, double spread, ResizeFilter filter) {
    double[] exact = new double[end - first];
    double sum = 0;
    for (int i = 0; i < exact.length; i++) {
      exact[i] = filter.weight((i + first - centre + 0.5) * (1 / spread));
      sum += exact[i];
    }
    int[] rounded = new int[exact.length];
    for (int i = 0; i < exact.length; i++) {
      double weight = exact[i] / sum * (1 << FRACTION_BITS);
      rounded[i] = (int) (weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    return rounded;
  }

  private static RgbImage columnsResized(RgbImage image, Taps[] taps) {
    int[] pixels = new int[Math.multiplyExact(taps.length, image.height())];
    for (int y = 0; y < image.height(); y++) {
      for (int x = 0; x < taps.length; x++) {
        pixels[y * taps.length + x] = weighted(image, taps[x], y, true);
      }
    }
    return RgbImage.wrap(taps.length, image.height(), pixels);
  }

  private static RgbImage rowsResized(RgbImage image, Taps[] taps) {
    int[] pixels = new int[Math.multiplyExact(image.width(), taps.length)];
    for (int y = 0; y < taps.length; y++) {
      for (int x = 0; x < image.width(); x++) {
        pixels[y * image.width() + x] = weighted(image, taps[y], x, false);
      }
    }
    return RgbImage.wrap(image.width(), taps.length, pixels);
  }

  /** Adds up the taps along a row or a column, which is the {@code line}th. */
  private static int weighted(RgbImage image, Taps taps, int line, boolean alongRow) {
    int half = 1 << (FRACTION_BITS - 1);
    int red = half;
    int green = half;
    int blue = half;
    for (int i = 0; i < taps.weights.length; i++) {
      int position = taps.first + i;
      int pixel = alongRow ? image.pixel(position, line) : image.pixel(line, position);
      int weight = taps.weights[i];
      red += (pixel >> 16) * weight;
      green += (pixel >> 8 & 0xFF) * weight;
      blue += (pixel & 0xFF) * weight;
    }
    return clipped(red) << 16 | clipped(green) << 8 | clipped(blue);
  }

  private static int clipped(int sum) {
    return Math.max(0, Math.min(255, sum >> FRACTION_BITS));
  }
}
