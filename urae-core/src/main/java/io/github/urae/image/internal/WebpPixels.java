package io.github.urae.image.internal;

/**
 * Packs pixels as lossless WebP has them (VP8L): predicted from their neighbours, what is left in
 * Huffman codes, and repetitions as such.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9649#section-3">RFC 9649, 3: the lossless
 *     bitstream</a>
 */
final class WebpPixels {

  /** Longest side that the header can tell. */
  static final int MAX_SIDE = 1 << 14;

  private static final int MARK = 0x2F;
  private static final int PREDICTOR = 0;
  private static final int SUBTRACT_GREEN = 2;

  private static final int LEVELS = 256;
  private static final int LENGTHS = 24;
  private static final int DISTANCES = 40;

  /** The pixel to the left is the second neighbour of 120 that have short names. */
  private static final int LEFT = 1;

  /** Shorter ones take more bits than their pixels. */
  private static final int MIN_REPEATED = 6;

  private static final int MAX_REPEATED = 4096;

  private final int[] green = new int[LEVELS + LENGTHS];
  private final int[] red = new int[LEVELS];
  private final int[] blue = new int[LEVELS];
  private final int[] distance = new int[DISTANCES];

  private WebpPixels() {}

  /**
   * Packs a picture.
   *
   * @param width 1 to {@value #MAX_SIDE}
   * @param height 1 to {@value #MAX_SIDE}
   * @param pixels 0x00RRGGBB row by row; not changed
   * @return the content of a {@code VP8L} chunk
   */
  static byte[] pack(int width, int height, int[] pixels) {
    WebpPrediction prediction = new WebpPrediction(width, height, pixels);
    BitSink out = new BitSink();
    out.add(MARK, 8);
    out.add(width - 1, 14);
    out.add(height - 1, 14);
    out.add(0, 1); // Nothing is transparent.
    out.add(0, 3); // The version.
    out.add(1, 1);
    out.add(PREDICTOR, 2);
    out.add(WebpPrediction.BLOCK_BITS - 2, 3);
    packModes(prediction.modes(), out);
    out.add(1, 1);
    out.add(SUBTRACT_GREEN, 2);
    out.add(0, 1); // No more transforms,
    out.add(0, 1); // no cache of colours,
    out.add(0, 1); // and the same codes everywhere.
    new WebpPixels().pack(width, height, prediction, out);
    return out.toBytes();
  }

  /** As a picture of which only the green tells anything. */
  private static void packModes(byte[] modes, BitSink out) {
    out.add(0, 1);
    int[] counts = new int[LEVELS + LENGTHS];
    for (byte mode : modes) {
      counts[mode]++;
    }
    PrefixCode code = new PrefixCode(counts);
    code.describe(out);
    PrefixCode none = new PrefixCode(new int[LEVELS]);
    for (int i = 0; i < 4; i++) {
      none.describe(out);
    }
    for (byte mode : modes) {
      code.put(mode, out);
    }
  }

  /** What a picture consists of. */
  private interface Symbols {

    void pixel(int rest);

    void repeated(int length);
  }

  private void pack(int width, int height, WebpPrediction prediction, BitSink out) {
    each(width, height, prediction, counting());
    PrefixCode greens = new PrefixCode(green);
    PrefixCode reds = new PrefixCode(red);
    PrefixCode blues = new PrefixCode(blue);
    PrefixCode alphas = new PrefixCode(new int[LEVELS]);
    PrefixCode distances = new PrefixCode(distance);
    greens.describe(out);
    reds.describe(out);
    blues.describe(out);
    alphas.describe(out);
    distances.describe(out);
    each(
        width,
        height,
        prediction,
        new Symbols() {
          @Override
          public void pixel(int rest) {
            greens.put(rest >> 8 & 0xFF, out);
            reds.put(rest >> 16, out);
            blues.put(rest & 0xFF, out);
          }

          @Override
          public void repeated(int length) {
            greens.put(LEVELS + lengthSymbol(length), out);
            int bits = extraBits(length);
            out.add(length - 1 & (1 << bits) - 1, bits);
            distances.put(LEFT, out);
          }
        });
  }

  private Symbols counting() {
    return new Symbols() {
      @Override
      public void pixel(int rest) {
        green[rest >> 8 & 0xFF]++;
        red[rest >> 16]++;
        blue[rest & 0xFF]++;
      }

      @Override
      public void repeated(int length) {
        green[LEVELS + lengthSymbol(length)]++;
        distance[LEFT]++;
      }
    };
  }

  private static void each(int width, int height, WebpPrediction prediction, Symbols symbols) {
    int[] row = new int[width];
    for (int y = 0; y < height; y++) {
      prediction.rest(y, row);
      int x = 0;
      while (x < width) {
        int end = x;
        while (x > 0 && end < width && end - x < MAX_REPEATED && row[end] == row[x - 1]) {
          end++;
        }
        if (end - x >= MIN_REPEATED) {
          symbols.repeated(end - x);
          x = end;
        } else {
          symbols.pixel(row[x++]);
        }
      }
    }
  }

  /** Lengths of about the same size share a symbol, and bits after it tell which it is. */
  private static int lengthSymbol(int length) {
    int value = length - 1;
    if (value < 4) {
      return value;
    }
    int highest = Integer.SIZE - 1 - Integer.numberOfLeadingZeros(value);
    return 2 * highest + (value >> (highest - 1) & 1);
  }

  private static int extraBits(int length) {
    return length - 1 < 4 ? 0 : Integer.SIZE - 2 - Integer.numberOfLeadingZeros(length - 1);
  }
}
