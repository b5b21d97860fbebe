package io.github.urae.benchmarks.scenes;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RadialGradientPaint;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.image.BufferedImage;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;

/** A square picture in the making, painted on in positions from 0 to 1. */
final class Canvas {

  /** Mixed into what is far away. */
  private final Tone haze;

  private final Tone tint;
  private final int size;
  private final BufferedImage image;
  private final Graphics2D graphics;

  /**
   * Starts black.
   *
   * @param tint what the light makes of white
   */
  Canvas(int size, Tone tint, Tone haze) {
    this.size = size;
    this.tint = tint;
    this.haze = haze;
    image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
    graphics = image.createGraphics();
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    graphics.scale(size, size);
  }

  int size() {
    return size;
  }

  BufferedImage image() {
    return image;
  }

  /** Returns what is painted on, in positions from 0 to 1. */
  Graphics2D graphics() {
    return graphics;
  }

  /** Ends the painting. */
  BufferedImage finished() {
    graphics.dispose();
    return image;
  }

  /**
   * Returns a colour in the light of the scene.
   *
   * @param distance how much haze lies before it, 0 to 1
   */
  Tone lit(Tone colour, double distance) {
    return colour.times(tint).mixed(haze, distance);
  }

  void fill(Shape shape, Tone colour, double opacity) {
    graphics.setColor(colour.colour(opacity));
    graphics.fill(shape);
  }

  void disc(double x, double y, double radius, Tone colour, double opacity) {
    fill(new Ellipse2D.Double(x - radius, y - radius, 2 * radius, 2 * radius), colour, opacity);
  }

  void polygon(Tone colour, double... points) {
    Path2D path = new Path2D.Double();
    path.moveTo(points[0], points[1]);
    for (int i = 2; i < points.length; i += 2) {
      path.lineTo(points[i], points[i + 1]);
    }
    path.closePath();
    fill(path, colour, 1);
  }

  /** Returns the area below a line that runs from the left to the right. */
  Path2D below(DoubleUnaryOperator height) {
    Path2D path = new Path2D.Double();
    path.moveTo(0, 1.01);
    for (int i = 0; i <= size; i++) {
      double x = (double) i / size;
      path.lineTo(x, height.applyAsDouble(x));
    }
    path.lineTo(1, 1.01);
    path.closePath();
    return path;
  }

  /** A soft spot of light or shade, its strength falling with the distance. */
  void glow(double x, double y, double radius, Tone colour, double strength) {
    float[] stops = {0, 0.15f, 0.35f, 0.6f, 1};
    Color[] colours = new Color[stops.length];
    for (int i = 0; i < stops.length; i++) {
      double fading = Math.exp(-3.2 * stops[i]) - Math.exp(-3.2) * stops[i];
      colours[i] = colour.colour(strength * fading);
    }
    graphics.setPaint(
        new RadialGradientPaint((float) x, (float) y, (float) radius, stops, colours));
    graphics.fill(new Ellipse2D.Double(x - radius, y - radius, 2 * radius, 2 * radius));
  }

  /** A smooth random line of several octaves around 0. */
  static DoubleUnaryOperator noise(Random random, int first, int octaves, double decay) {
    double[][] grids = new double[octaves][];
    for (int octave = 0; octave < octaves; octave++) {
      grids[octave] = new double[(first << octave) + 3];
      for (int i = 0; i < grids[octave].length; i++) {
        grids[octave][i] = random.nextGaussian() * 0.5;
      }
    }
    return x -> {
      double sum = 0;
      double weight = 1;
      for (int octave = 0; octave < octaves; octave++) {
        double at = Math.max(0, Math.min(1, x)) * (first << octave);
        int index = (int) at;
        double share = at - index;
        share = share * share * (3 - 2 * share);
        double[] grid = grids[octave];
        sum += weight * (grid[index] * (1 - share) + grid[index + 1] * share);
        weight *= decay;
      }
      return sum;
    };
  }
}
