package io.github.urae.benchmarks.scenes;

import java.awt.Color;

/**
 * A colour to be mixed.
 *
 * @param red 0 to 1; more is cut when it is painted
 * @param green 0 to 1
 * @param blue 0 to 1
 */
record Tone(double red, double green, double blue) {

  static final Tone WHITE = new Tone(1, 1, 1);

  static Tone of(double red, double green, double blue) {
    return new Tone(red, green, blue);
  }

  Tone times(Tone other) {
    return new Tone(red * other.red, green * other.green, blue * other.blue);
  }

  Tone times(double factor) {
    return new Tone(red * factor, green * factor, blue * factor);
  }

  Tone mixed(Tone other, double share) {
    return new Tone(
        red + (other.red - red) * share,
        green + (other.green - green) * share,
        blue + (other.blue - blue) * share);
  }

  private static float cut(double value) {
    return (float) Math.max(0, Math.min(1, value));
  }

  Color colour(double opacity) {
    return new Color(cut(red), cut(green), cut(blue), cut(opacity));
  }

  int rgb() {
    return colour(1).getRGB() & 0xFFFFFF;
  }
}
