package io.github.urae.image;

/** How a resized picture's pixels are made of the old ones around them. */
public enum ResizeFilter {
  /** Lanczos' filter of three lobes: what diffusers resizes start pictures with. */
  LANCZOS(3) {
    @Override
    double weight(double x) {
      return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    }
  },
  /**
   * Keys' cubic convolution with a = -0.5: Pillow's default, with which URAE resizes the pictures
   * that it trains on.
   */
  BICUBIC(2) {
    @Override
    double weight(double x) {
      double distance = Math.abs(x);
      if (distance < 1) {
        return ((SHARPNESS + 2) * distance - (SHARPNESS + 3)) * distance * distance + 1;
      }
      return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * SHARPNESS : 0;
    }
  };

  /** Keys' parameter a. */
  private static final double SHARPNESS = -0.5;

  private final double support;

  ResizeFilter(double support) {
    this.support = support;
  }

  /** Returns how far it reaches, in pixels of the smaller picture. */
  double support() {
    return support;
  }

  /** Returns the weight of a pixel at a distance, in the same unit. */
  abstract double weight(double x);

  private static double sinc(double x) {
    return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
  }
}
