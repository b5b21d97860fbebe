package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Body;
import io.github.urae.benchmarks.scenes.Scene.Clouds;
import io.github.urae.benchmarks.scenes.Scene.Hour;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.LinearGradientPaint;
import java.awt.RadialGradientPaint;
import java.awt.Shape;
import java.awt.geom.Area;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;

/** The sky: its colours, and what shines, drifts and flies in it. */
final class SkyPainter {

  private static final double HORIZON = 0.62;

  private final Scene scene;
  private final Palette palette;
  private final Canvas canvas;

  SkyPainter(Scene scene, Palette palette, Canvas canvas) {
    this.scene = scene;
    this.palette = palette;
    this.canvas = canvas;
  }

  void paint() {
    Color[] colours = {
      palette.zenith().colour(1), palette.middle().colour(1), palette.low().colour(1)
    };
    canvas
        .graphics()
        .setPaint(
            new LinearGradientPaint(0, 0, 0, (float) HORIZON, new float[] {0, 0.58f, 1}, colours));
    canvas.graphics().fill(new Rectangle2D.Double(0, 0, 1, 1));
    if (scene.hour() == Hour.NIGHT) {
      stars();
    }
    if (scene.aurora()) {
      aurora();
    }
    if (scene.body() != Body.NONE) {
      body();
    }
    if (scene.clouds() != Clouds.NONE) {
      clouds();
    }
  }

  private void stars() {
    Random random = scene.random("stars");
    Tone tone = Tone.of(0.92, 0.95, 1);
    for (int i = 0; i < 110; i++) {
      double x = random.nextDouble();
      double y = Math.pow(random.nextDouble(), 1.3) * HORIZON;
      double power = random.nextDouble();
      boolean hidden =
          scene.body() != Body.NONE && Math.hypot(x - scene.bodyX(), y - scene.bodyY()) < 0.085;
      if (!hidden && (power > 0.25 || canvas.size() >= 256)) {
        double radius = Math.max(0.0022 + 0.0026 * power, 0.42 / canvas.size());
        canvas.disc(x, y, radius, tone, (0.25 + 0.75 * power) * (1 - 0.5 * y / HORIZON));
      }
    }
  }

  private void aurora() {
    Random random = scene.random("aurora");
    for (int curtain = 0; curtain < 2; curtain++) {
      DoubleUnaryOperator foot = Canvas.noise(random, 2, 2, 0.4);
      DoubleUnaryOperator height = Canvas.noise(random, 3, 2, 0.5);
      DoubleUnaryOperator rays = Canvas.noise(random, 7, 3, 0.8);
      double level = 0.33 + 0.11 * curtain;
      double width = 1.0 / canvas.size();
      for (double x = 0; x < 1; x += width) {
        double bottom = level + 0.1 * foot.applyAsDouble(x);
        double top = bottom - Math.max(0.1, 0.34 + 0.1 * height.applyAsDouble(x));
        double power = Math.max(0.06, Math.min(1, 0.55 + 0.5 * rays.applyAsDouble(x))) * 0.75;
        Color[] colours = {
          Tone.of(0.55, 0.3, 0.85).colour(0),
          Tone.of(0.45, 0.5, 0.8).colour(0.35 * power),
          Tone.of(0.25, 0.95, 0.62).colour(power),
          Tone.of(0.25, 0.95, 0.62).colour(0)
        };
        canvas
            .graphics()
            .setPaint(
                new LinearGradientPaint(
                    0,
                    (float) top,
                    0,
                    (float) (bottom + 0.05),
                    new float[] {0, 0.45f, 0.85f, 1},
                    colours));
        canvas.graphics().fill(new Rectangle2D.Double(x, top, width * 1.02, bottom + 0.05 - top));
      }
    }
  }

  private void body() {
    double x = scene.bodyX();
    double y = scene.bodyY();
    boolean crescent = scene.body() == Body.CRESCENT_MOON;
    double reach =
        switch (scene.hour()) {
          case NOON, NIGHT -> 0.3;
          case DAWN -> 0.42;
          case SUNSET -> 0.52;
        };
    canvas.glow(x, y, reach, palette.glow(), crescent ? 0.5 : 0.85);
    double radius = scene.body() == Body.SUN ? (scene.hour() == Hour.NOON ? 0.05 : 0.066) : 0.058;
    Tone tone =
        switch (scene.hour()) {
          case NOON -> Tone.of(1, 0.97, 0.84);
          case DAWN -> Tone.of(1, 0.95, 0.8);
          case SUNSET -> Tone.of(1, 0.9, 0.58);
          case NIGHT -> Tone.of(0.95, 0.95, 0.88);
        };
    Area disc = new Area(circle(x, y, radius));
    if (crescent) {
      disc.subtract(new Area(circle(x + 0.48 * radius, y - 0.25 * radius, 0.88 * radius)));
    }
    canvas.fill(disc, tone, 1);
    if (scene.body() == Body.FULL_MOON) {
      Random random = scene.random("moon");
      for (int i = 0; i < 7; i++) {
        double angle = random.nextDouble() * 2 * Math.PI;
        double away = Math.sqrt(random.nextDouble()) * radius * 0.7;
        canvas.disc(
            x + away * Math.cos(angle),
            y + away * Math.sin(angle),
            radius * (0.1 + 0.16 * random.nextDouble()),
            tone.times(0.78),
            0.4);
      }
    }
  }

  private static Ellipse2D circle(double x, double y, double radius) {
    return new Ellipse2D.Double(x - radius, y - radius, 2 * radius, 2 * radius);
  }

  private void clouds() {
    Random random = scene.random("clouds");
    SceneDice dice = new SceneDice(random);
    boolean many = scene.clouds() == Clouds.MANY;
    int count = many ? 6 : 3;
    for (int i = 0; i < count; i++) {
      double slot = (i + dice.between(0.2, 0.8)) / count;
      double x = many ? slot * 1.9 % 1 : slot;
      double y = many ? dice.between(0.1, 0.4) : dice.between(0.12, 0.36);
      cloud(dice, x, y, dice.between(0.13, 0.21) * (many ? 1.25 : 1));
    }
    if (many || scene.hour() == Hour.SUNSET || scene.hour() == Hour.DAWN) {
      for (int i = 0; i < 3; i++) {
        double x = dice.between(0.1, 0.9);
        double y = dice.between(0.4, 0.54);
        Tone tone = palette.cloud().mixed(palette.cloudShade(), 0.35);
        for (int layer = 1; layer <= 4; layer++) {
          double half = 0.09 * layer;
          canvas.fill(
              new Ellipse2D.Double(x - half, y - 0.0035 * layer, 2 * half, 0.007 * layer),
              tone,
              0.16);
        }
      }
    }
  }

  /** Puffs over a flat base: shaded below, lit above, soft at the rim. */
  private void cloud(SceneDice dice, double x, double y, double width) {
    double[][] puffs = new double[27][];
    for (int i = 0; i < puffs.length; i++) {
      double t = i % 9 / 4.0 - 1 + dice.between(-0.1, 0.1);
      double lift = width * 0.3 * Math.max(0, 1 - t * t) * dice.between(0.2, 1.15);
      double radius = width * dice.between(0.18, 0.33) * (1.1 - 0.55 * Math.abs(t));
      puffs[i] = new double[] {x + width * t, y - lift, radius};
    }
    Path2D sky = new Path2D.Double();
    sky.append(new Rectangle2D.Double(-1, -1, 3, 1 + y + 0.03), false);
    Shape clip = canvas.graphics().getClip();
    canvas.graphics().clip(sky);
    boolean body = scene.body() != Body.NONE;
    for (int pass = 0; pass < 3; pass++) {
      Tone tone = palette.cloudShade().mixed(palette.cloud(), 0.15 + 0.42 * pass);
      for (double[] puff : puffs) {
        double radius = puff[2] * (1 - 0.17 * pass);
        // The sun stays before the clouds, since captions name it.
        double away = Math.hypot(puff[0] - scene.bodyX(), puff[1] - scene.bodyY());
        if (body && away < radius + 0.045) {
          continue;
        }
        double up = puff[2] * 0.24 * pass;
        soft(puff[0], puff[1] - up, radius, tone.mixed(palette.haze(), 0.1));
      }
    }
    canvas.graphics().setClip(clip);
  }

  private void soft(double x, double y, double radius, Tone tone) {
    Color[] colours = {tone.colour(0.55), tone.colour(0.5), tone.colour(0)};
    canvas
        .graphics()
        .setPaint(
            new RadialGradientPaint(
                (float) x, (float) y, (float) radius, new float[] {0, 0.6f, 1}, colours));
    canvas.graphics().fill(circle(x, y, radius));
  }

  /** Mist above the horizon, before the land is painted. */
  void mist(double level) {
    canvas
        .graphics()
        .setPaint(
            new GradientPaint(
                0,
                (float) (level - 0.16),
                palette.haze().colour(0),
                0,
                (float) level,
                palette.haze().colour(0.65)));
    canvas.graphics().fill(new Rectangle2D.Double(0, level - 0.16, 1, 0.17));
  }

  void birds() {
    SceneDice dice = new SceneDice(scene.random("birds"));
    double x = dice.between(0.3, 0.7);
    double y = dice.between(0.2, 0.32);
    canvas.graphics().setColor(Tone.of(0.1, 0.11, 0.16).mixed(palette.haze(), 0.1).colour(1));
    canvas
        .graphics()
        .setStroke(new BasicStroke(0.0062f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    for (int i = 0; i < 5; i++) {
      double at = x + (i - 2) * 0.075 + dice.between(-0.02, 0.02);
      double down = y + dice.between(-0.05, 0.05);
      double wing = dice.between(0.022, 0.032);
      double lift = wing * dice.between(0.35, 0.6);
      Path2D bird = new Path2D.Double();
      bird.moveTo(at - wing, down - lift * 0.7);
      bird.quadTo(at - wing * 0.5, down - lift * 1.3, at, down);
      bird.quadTo(at + wing * 0.5, down - lift * 1.3, at + wing, down - lift * 0.7);
      canvas.graphics().draw(bird);
    }
  }
}
