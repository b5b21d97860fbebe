package io.github.urae.image.internal;

/**
 * What is left of a picture when every pixel is told from its neighbours, each block of pixels in
 * the way that leaves least, and then the levels of green from the other two: two transforms of
 * lossless WebP, without a copy of the picture.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9649#section-3.5.1">RFC 9649, 3.5.1: predictor
 *     transform</a>
 */
final class WebpPrediction {

  /** Logarithm of a block's side. */
  static final int BLOCK_BITS = 4;

  private static final int BLOCK = 1 << BLOCK_BITS;
  private static final int MODES = 14;

  /** Rows that are tried of a block: the others are like them. */
  private static final int TRIED_ROWS = 2;

  private static final int RED_BLUE = 0xFF00FF;
  private static final int GREEN = 0xFF00;

  /** What a remaining level takes, in sixteenths of a bit or so. */
  private static final int[] COST = new int[256];

  static {
    for (int level = 0; level < COST.length; level++) {
      int size = Math.abs((byte) level);
      COST[level] = (int) Math.round(16 * Math.log(1 + size) / Math.log(2));
    }
  }

  private final int width;
  private final int height;
  private final int[] pixels;
  private final int columns;
  private final byte[] modes;

  /**
   * Chooses the ways.
   *
   * @param pixels 0x00RRGGBB row by row; kept, not copied
   */
  WebpPrediction(int width, int height, int[] pixels) {
    this.width = width;
    this.height = height;
    this.pixels = pixels;
    this.columns = (width + BLOCK - 1) >> BLOCK_BITS;
    this.modes = new byte[columns * ((height + BLOCK - 1) >> BLOCK_BITS)];
    for (int block = 0; block < modes.length; block++) {
      modes[block] = (byte) best(block % columns * BLOCK, block / columns * BLOCK);
    }
  }

  private int best(int left, int top) {
    int best = 0;
    long least = Long.MAX_VALUE;
    for (int mode = 0; mode < MODES; mode++) {
      long cost = cost(mode, left, top, least);
      if (cost < least) {
        least = cost;
        best = mode;
      }
    }
    return best;
  }

  private long cost(int mode, int left, int top, long enough) {
    long cost = 0;
    int right = Math.min(width, left + BLOCK);
    int bottom = Math.min(height, top + BLOCK);
    for (int y = top; y < bottom && cost < enough; y += TRIED_ROWS) {
      for (int x = left; x < right; x++) {
        int rest = rest(mode, x, y);
        cost += COST[rest >> 16] + COST[rest >> 8 & 0xFF] + COST[rest & 0xFF];
      }
    }
    return cost;
  }

  /** Returns the number of each block's way, row by row. */
  byte[] modes() {
    return modes.clone();
  }

  /** Fills a row with what is left: 0x00RRGGBB, each level modulo 256. */
  void rest(int y, int[] row) {
    for (int x = 0; x < width; x++) {
      row[x] = rest(modes[(y >> BLOCK_BITS) * columns + (x >> BLOCK_BITS)], x, y);
    }
  }

  private int rest(int mode, int x, int y) {
    int at = y * width + x;
    int rest = minus(pixels[at], predicted(mode, x, y, at));
    int green = rest >> 8 & 0xFF;
    return minus(rest, green << 16 | green);
  }

  private static int minus(int a, int b) {
    int redBlue = (a & RED_BLUE) + 0x1000100 - (b & RED_BLUE);
    int green = (a & GREEN) + 0x10000 - (b & GREEN);
    return (redBlue & RED_BLUE) | (green & GREEN);
  }

  private int predicted(int mode, int x, int y, int at) {
    if (y == 0) {
      return x == 0 ? 0 : pixels[at - 1];
    }
    if (x == 0) {
      return pixels[at - width];
    }
    int left = pixels[at - 1];
    int top = pixels[at - width];
    int topLeft = pixels[at - width - 1];
    // At the right end, that is the first pixel of the same row.
    int topRight = pixels[at - width + 1];
    return switch (mode) {
      case 0 -> 0;
      case 1 -> left;
      case 2 -> top;
      case 3 -> topRight;
      case 4 -> topLeft;
      case 5 -> mean(mean(left, topRight), top);
      case 6 -> mean(left, topLeft);
      case 7 -> mean(left, top);
      case 8 -> mean(topLeft, top);
      case 9 -> mean(top, topRight);
      case 10 -> mean(mean(left, topLeft), mean(top, topRight));
      case 11 -> nearer(left, top, topLeft);
      case 12 -> plane(left, top, topLeft);
      default -> beyond(mean(left, top), topLeft);
    };
  }

  /** Of each level, rounded down. */
  private static int mean(int a, int b) {
    return (a & b) + (((a ^ b) & 0xFEFEFE) >>> 1);
  }

  /** The one that is nearer to the plane through all three. */
  private static int nearer(int left, int top, int corner) {
    return distance(top, corner) < distance(left, corner) ? left : top;
  }

  private static int distance(int a, int b) {
    return Math.abs((a >> 16) - (b >> 16))
        + Math.abs((a >> 8 & 0xFF) - (b >> 8 & 0xFF))
        + Math.abs((a & 0xFF) - (b & 0xFF));
  }

  private static int plane(int left, int top, int corner) {
    int red = clamped((left >> 16) + (top >> 16) - (corner >> 16));
    int green = clamped((left >> 8 & 0xFF) + (top >> 8 & 0xFF) - (corner >> 8 & 0xFF));
    int blue = clamped((left & 0xFF) + (top & 0xFF) - (corner & 0xFF));
    return red << 16 | green << 8 | blue;
  }

  private static int beyond(int mean, int corner) {
    int red = away(mean >> 16, corner >> 16);
    int green = away(mean >> 8 & 0xFF, corner >> 8 & 0xFF);
    int blue = away(mean & 0xFF, corner & 0xFF);
    return red << 16 | green << 8 | blue;
  }

  private static int away(int mean, int corner) {
    return clamped(mean + (mean - corner) / 2);
  }

  private static int clamped(int level) {
    return Math.max(0, Math.min(255, level));
  }
}
