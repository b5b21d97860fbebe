package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Season;
import java.awt.BasicStroke;
import java.awt.GradientPaint;
import java.awt.Shape;
import java.awt.geom.Area;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;

/** The land: mountains, hills, forests, dunes, and what grows on them. */
final class LandPainter {

  private final Scene scene;
  private final Palette palette;
  private final Canvas canvas;

  LandPainter(Scene scene, Palette palette, Canvas canvas) {
    this.scene = scene;
    this.palette = palette;
    this.canvas = canvas;
  }

  /**
   * Paints a range of mountains, each with a side in the light and one in the shade.
   *
   * @param top of the highest
   * @param base where they stand
   * @param haze how far away they are, 0 to 1
   */
  void peaks(String name, double top, double base, double haze, int count, Tone rock) {
    Random random = scene.random(name);
    SceneDice dice = new SceneDice(random);
    double[][] peaks = new double[count][];
    for (int i = 0; i < count; i++) {
      peaks[i] =
          new double[] {
            (i + dice.between(0.2, 0.8)) / count,
            top + dice.between(0, 0.13),
            dice.between(0.85, 1.3),
            dice.between(0.85, 1.3)
          };
    }
    Arrays.sort(peaks, Comparator.comparingDouble(peak -> peak[1])); // The highest stand behind.
    for (double[] peak : peaks) {
      peak(random, peak, base, haze, rock);
    }
    Shape clip = canvas.graphics().getClip();
    new SkyPainter(scene, palette, canvas).mist(base + 0.01);
    canvas.graphics().setClip(clip);
  }

  private void peak(Random random, double[] peak, double base, double haze, Tone rock) {
    double x = peak[0];
    double top = peak[1];
    DoubleUnaryOperator rough = Canvas.noise(random, 9, 4, 0.55);
    DoubleUnaryOperator height =
        at -> {
          double rise = Math.abs(at - x) * (at < x ? peak[2] : peak[3]);
          return Math.min(
              base + 0.05,
              top + rise + 0.03 * rough.applyAsDouble(at) * Math.min(1, rise * 14 + 0.3));
        };
    Area whole = new Area(canvas.below(height));
    whole.intersect(new Area(new Rectangle2D.Double(0, 0, 1, base + 0.06)));
    DoubleUnaryOperator wander = Canvas.noise(random, 6, 4, 0.7);
    Path2D side = new Path2D.Double();
    boolean lightFromLeft = scene.lightSide() < 0;
    double beyond = lightFromLeft ? 2 : -1;
    side.moveTo(x, top - 0.1);
    for (int i = 0; i <= 60; i++) {
      double deep = i / 60.0 * (base + 0.08 - top);
      side.lineTo(x + wander.applyAsDouble(i / 60.0) * 0.09 * Math.min(1, deep * 6), top + deep);
    }
    side.lineTo(beyond, base + 0.1);
    side.lineTo(beyond, top - 0.1);
    side.closePath();
    Area shade = new Area(whole);
    shade.intersect(new Area(side));
    Tone light = canvas.lit(rock.times(1.14), haze * 0.85);
    Tone dark = canvas.lit(rock.times(Tone.of(0.57, 0.6, 0.67)), haze);
    canvas.fill(whole, light, 1);
    canvas.fill(shade, dark, 1);
    if (scene.snow() && scene.land() != Scene.Land.DESERT) {
      snow(random, whole, shade, top, haze);
    }
    folds(random, whole, x, top, base);
  }

  private void snow(Random random, Area whole, Area shade, double top, double haze) {
    DoubleUnaryOperator edge = Canvas.noise(random, 14, 4, 0.75);
    double depth = scene.season() == Season.WINTER ? 0.23 : 0.17;
    Path2D above = new Path2D.Double();
    above.moveTo(0, 0);
    for (int i = 0; i <= 200; i++) {
      above.lineTo(i / 200.0, top + depth + 0.08 * edge.applyAsDouble(i / 200.0));
    }
    above.lineTo(1, 0);
    above.closePath();
    Area cap = new Area(whole);
    cap.intersect(new Area(above));
    canvas.fill(cap, Palette.sunlitSnow(scene.hour()).mixed(palette.haze(), haze * 0.6), 1);
    cap.intersect(shade);
    canvas.fill(cap, Palette.shadedSnow(scene.hour()).mixed(palette.haze(), haze * 0.6), 1);
  }

  /** Slanting strokes of light and shade down a mountain. */
  private void folds(Random random, Area whole, double x, double top, double base) {
    Shape clip = canvas.graphics().getClip();
    canvas.graphics().clip(whole);
    canvas
        .graphics()
        .setStroke(new BasicStroke(0.006f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    int count = canvas.size() > 128 ? 60 : 24;
    for (int i = 0; i < count; i++) {
      double down = Math.sqrt(random.nextDouble()) * (base - top);
      double at = x + (random.nextDouble() * 2 - 1) * down;
      double length = 0.02 + 0.05 * random.nextDouble();
      Tone tone = random.nextBoolean() ? Tone.WHITE : Tone.of(0, 0, 0.05);
      canvas.graphics().setColor(tone.colour(0.07));
      double lean = Math.signum(at - x) * length * 0.8;
      canvas.graphics().draw(new Line2D.Double(at, top + down, at + lean, top + down + length));
    }
    canvas.graphics().setClip(clip);
  }

  /** Returns the ridge of a hill. */
  DoubleUnaryOperator ridge(String name, double level, double swing, int first) {
    DoubleUnaryOperator noise = Canvas.noise(scene.random(name), first, 2, 0.35);
    return x -> level + swing * noise.applyAsDouble(x);
  }

  /** Paints a hill below its ridge: bright above and towards the light, darker below. */
  void hill(String name, DoubleUnaryOperator ridge, Tone colour, double haze) {
    double highest = 1;
    for (int i = 0; i <= 64; i++) {
      highest = Math.min(highest, ridge.applyAsDouble(i / 64.0));
    }
    Path2D shape = canvas.below(ridge);
    Tone bright = canvas.lit(colour.times(1.1), haze);
    Tone dark = canvas.lit(colour.times(Tone.of(0.7, 0.76, 0.78)), haze);
    canvas
        .graphics()
        .setPaint(
            new GradientPaint(
                0, (float) highest, bright.colour(1), 0, (float) (highest + 0.3), dark.colour(1)));
    canvas.graphics().fill(shape);
    strokes(name, shape, ridge, colour, haze);
  }

  private void strokes(
      String name, Path2D shape, DoubleUnaryOperator ridge, Tone colour, double haze) {
    Random random = scene.random(name + " strokes");
    Shape clip = canvas.graphics().getClip();
    canvas.graphics().clip(shape);
    int count = canvas.size() > 128 ? 420 : 150;
    canvas
        .graphics()
        .setStroke(
            new BasicStroke(
                canvas.size() > 128 ? 0.006f : 0.01f,
                BasicStroke.CAP_ROUND,
                BasicStroke.JOIN_ROUND));
    for (int i = 0; i < count; i++) {
      double x = random.nextDouble();
      double y = ridge.applyAsDouble(x) + random.nextDouble() * 0.34;
      double slope = (ridge.applyAsDouble(x + 0.02) - ridge.applyAsDouble(x - 0.02)) / 0.04;
      double length = 0.02 + 0.04 * random.nextDouble();
      double lean = -scene.lightSide() * slope;
      double tone =
          1 + 0.2 * (random.nextDouble() * 2 - 1) + 0.25 * Math.max(-0.5, Math.min(0.5, lean));
      canvas.graphics().setColor(canvas.lit(colour.times(tone), haze).colour(0.28));
      canvas.graphics().draw(new Line2D.Double(x, y, x + length, y + slope * length));
    }
    canvas.graphics().setClip(clip);
  }

  /** Paints bushes along a ridge. */
  void bushes(String name, DoubleUnaryOperator ridge, double haze) {
    SceneDice dice = new SceneDice(scene.random(name));
    Tone leaf = Palette.bushes(scene.season());
    int light = scene.lightSide();
    for (int i = 0; i < 9; i++) {
      double x = dice.between(0, 1);
      double down = dice.between(0, 0.05);
      double y = ridge.applyAsDouble(x) + down + 0.006;
      double radius = dice.between(0.012, 0.02) * (0.8 + 6 * down);
      Tone tone = leaf.times(dice.between(0.85, 1.15));
      for (int j = -1; j <= 1; j++) {
        double px = x + j * radius * 0.9;
        double py = y - radius * (j == 0 ? 1.25 : 0.75);
        canvas.disc(px, py, radius, canvas.lit(tone.times(0.62), haze), 1);
        canvas.disc(
            px + light * radius * 0.25, py - radius * 0.3, radius * 0.7, canvas.lit(tone, haze), 1);
        canvas.disc(
            px + light * radius * 0.35,
            py - radius * 0.45,
            radius * 0.38,
            canvas.lit(tone.times(1.3), haze),
            1);
      }
    }
  }

  /** Paints the jagged edge of a forest on a ridge. */
  void forest(DoubleUnaryOperator ridge, double height, double haze, int count) {
    SceneDice dice = new SceneDice(scene.random("forest"));
    Tone tone = canvas.lit(Palette.pines(scene.season()), haze);
    canvas.fill(canvas.below(x -> ridge.applyAsDouble(x) - height * 0.12), tone, 1);
    for (int i = 0; i < count; i++) {
      double x = (i + dice.between(0.1, 0.9)) / count;
      double tall = height * dice.between(0.55, 1);
      pine(x, ridge.applyAsDouble(x) + 0.01, tall, tone.times(dice.between(0.88, 1.12)), false);
    }
  }

  /** Paints single pines in front. */
  void pines(DoubleUnaryOperator ground, double[] places, double height) {
    SceneDice dice = new SceneDice(scene.random("pines"));
    for (double x : places) {
      Tone tone = Palette.pines(scene.season()).times(dice.between(0.85, 1.15));
      pine(
          x,
          ground.applyAsDouble(x) + 0.012,
          height * dice.between(0.75, 1.1),
          canvas.lit(tone, 0.05),
          scene.season() == Season.WINTER);
    }
  }

  private void pine(double x, double y, double tall, Tone tone, boolean snow) {
    canvas.polygon(
        tone.times(Tone.of(1, 0.55, 0.5)),
        x - tall * 0.025,
        y,
        x + tall * 0.025,
        y,
        x + tall * 0.02,
        y - tall * 0.2,
        x - tall * 0.02,
        y - tall * 0.2);
    int light = scene.lightSide();
    int tiers = 6;
    for (int tier = 0; tier < tiers; tier++) {
      double t = (double) tier / tiers;
      double low = y - tall * (0.1 + 0.8 * t);
      double top = low - tall * 0.3 * (1 - 0.35 * t);
      double half = tall * (0.26 * Math.pow(1 - t, 0.85) + 0.03);
      double sag = tall * 0.03;
      Tone own = tone.times(0.82 + 0.36 * t);
      for (int side = -1; side <= 1; side += 2) {
        canvas.polygon(
            side == light ? own : own.times(0.76),
            x,
            top,
            x + side * half * 0.55,
            low - sag * 0.6,
            x + side * half,
            low + sag,
            x + side * half * 0.3,
            low,
            x,
            low + sag);
      }
      if (snow) {
        canvas.polygon(
            canvas.lit(Tone.of(0.93, 0.96, 1), 0.05),
            x,
            top,
            x + half * 0.42,
            low - tall * 0.055,
            x + half * 0.12,
            low - tall * 0.03,
            x - half * 0.2,
            low - tall * 0.05,
            x - half * 0.4,
            low - tall * 0.05);
      }
    }
  }

  /** Paints blades of grass on the nearest ground, and flowers in spring. */
  void grass(DoubleUnaryOperator ground, Tone colour) {
    SceneDice dice = new SceneDice(scene.random("grass"));
    int blades = scene.season() == Season.WINTER ? 60 : canvas.size() > 128 ? 260 : 120;
    canvas
        .graphics()
        .setStroke(new BasicStroke(0.003f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    for (int i = 0; i < blades; i++) {
      double x = dice.between(0, 1);
      double near = Math.pow(dice.between(0, 1), 0.7);
      double top = ground.applyAsDouble(x);
      double y = top + (1.02 - top) * near;
      double height = (0.01 + 0.026 * near) * dice.between(0.6, 1.2);
      Tone tone = canvas.lit(colour.times(dice.between(0.78, 1.16)), 0);
      canvas.graphics().setColor(tone.colour(0.75));
      canvas.graphics().draw(new Line2D.Double(x, y, x + dice.between(-0.01, 0.01), y - height));
    }
    if (scene.season() == Season.SPRING) {
      Tone[] flowers = {Tone.of(1, 0.95, 0.55), Tone.of(1, 1, 0.97), Tone.of(0.98, 0.55, 0.68)};
      for (int i = 0; i < (canvas.size() > 128 ? 70 : 45); i++) {
        double x = dice.between(0, 1);
        double near = Math.pow(dice.between(0, 1), 0.8);
        double top = ground.applyAsDouble(x) + 0.01;
        Tone tone = canvas.lit(flowers[i % flowers.length], 0);
        canvas.disc(x, top + (1 - top) * near, 0.0035 + 0.006 * near, tone, 0.85);
      }
    }
  }

  /** Paints ridges of sand with a side in the light and one in the shade. */
  void dunes() {
    Tone sand = Tone.of(0.93, 0.74, 0.45);
    double[][] rows = {
      {0.6, 0.05, 0.45}, {0.67, 0.09, 0.28}, {0.76, 0.13, 0.14}, {0.9, 0.13, 0.04}
    };
    for (int row = 0; row < rows.length; row++) {
      double haze = rows[row][2];
      DoubleUnaryOperator ridge = ridge("dune " + row, rows[row][0], rows[row][1], 2);
      Tone light = canvas.lit(sand.times(1.06), haze);
      Tone dark = canvas.lit(sand.times(Tone.of(0.56, 0.46, 0.52)), haze);
      int columns = canvas.size();
      // Columns of light and shade, leaning with the wind: what faces the sun is bright.
      for (int i = 0; i < columns; i++) {
        double x = (i + 0.5) / columns;
        double slope = (ridge.applyAsDouble(x + 0.015) - ridge.applyAsDouble(x - 0.015)) / 0.03;
        double facing = 1 / (1 + Math.exp(14 * scene.lightSide() * slope));
        Tone top = dark.mixed(light, facing);
        Tone bottom = dark.mixed(light, 0.35 + 0.3 * facing);
        double y = ridge.applyAsDouble(x);
        canvas
            .graphics()
            .setPaint(
                new GradientPaint(
                    0, (float) y, top.colour(1), 0, (float) (y + 0.22), bottom.colour(1)));
        canvas
            .graphics()
            .fill(new Rectangle2D.Double(x - 0.6 / columns, y, 1.2 / columns, 1.01 - y));
      }
      ripples(row, ridge, light);
    }
  }

  private void ripples(int row, DoubleUnaryOperator ridge, Tone light) {
    if (row < 2) {
      return;
    }
    DoubleUnaryOperator bend = Canvas.noise(scene.random("ripples " + row), 3, 2, 0.4);
    canvas.graphics().setStroke(new BasicStroke(0.0035f));
    for (double down = 0.03; down < 0.35; down += 0.021) {
      Path2D line = new Path2D.Double();
      for (int i = 0; i <= 80; i++) {
        double x = i / 80.0;
        double y = ridge.applyAsDouble(x) + down + 0.05 * bend.applyAsDouble(x) * down * 6;
        if (i == 0) {
          line.moveTo(x, y);
        } else {
          line.lineTo(x, y);
        }
      }
      canvas.graphics().setColor(light.times(0.8).colour(0.16));
      canvas.graphics().draw(line);
    }
  }
}
