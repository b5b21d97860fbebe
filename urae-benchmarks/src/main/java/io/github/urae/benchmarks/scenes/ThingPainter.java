package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Hour;
import io.github.urae.benchmarks.scenes.Scene.Season;
import java.awt.AlphaComposite;
import java.awt.BasicStroke;
import java.awt.Composite;
import java.awt.GradientPaint;
import java.awt.Shape;
import java.awt.geom.AffineTransform;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/** What stands in the land: trees, houses, boats, lighthouses. */
final class ThingPainter {

  private final Scene scene;
  private final Canvas canvas;

  /** What the light makes of white, less of it where things shine themselves. */
  private final Tone light;

  ThingPainter(Scene scene, Palette palette, Canvas canvas) {
    this.scene = scene;
    this.canvas = canvas;
    this.light = Tone.WHITE.mixed(palette.tint(), 0.75);
  }

  private void stroke(double width, Tone tone, double x0, double y0, double x1, double y1) {
    canvas
        .graphics()
        .setStroke(new BasicStroke((float) width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    canvas.graphics().setColor(tone.colour(1));
    canvas.graphics().draw(new Line2D.Double(x0, y0, x1, y1));
  }

  private void shadow(double x, double y, double width) {
    double strength = scene.hour() == Hour.NIGHT ? 0.1 : 0.18;
    double at = x - scene.lightSide() * 0.06;
    for (int layer = 1; layer <= 3; layer++) {
      double half = width * layer / 3;
      canvas.fill(
          new Ellipse2D.Double(at - half, y - 0.008 * layer, 2 * half, 0.016 * layer),
          Tone.of(0, 0, 0.03),
          strength);
    }
  }

  void tree(double x, double y) {
    SceneDice dice = new SceneDice(scene.random("tree"));
    boolean bare = scene.season() == Season.WINTER;
    double tall = dice.between(0.33, 0.38);
    double lean = dice.between(-0.02, 0.02);
    Tone bark = canvas.lit(bare ? Tone.of(0.26, 0.2, 0.18) : Tone.of(0.34, 0.23, 0.16), 0);
    shadow(x, y + 0.012, 0.13);
    double topX = x + lean;
    double topY = y - tall * 0.52;
    canvas.polygon(
        bark,
        x - 0.026,
        y + 0.012,
        x - 0.012,
        y - 0.02,
        topX - 0.009,
        topY,
        topX + 0.009,
        topY,
        x + 0.013,
        y - 0.02,
        x + 0.028,
        y + 0.012);
    double[][] boughs = {{0.75, 0.75}, {-0.75, 0.85}, {0.12, 1}};
    for (double[] bough : boughs) {
      grow(
          dice,
          bark,
          x + lean * bough[1],
          y - tall * 0.52 * bough[1],
          Math.PI / 2 + bough[0],
          tall * (bare ? 0.26 : 0.22),
          0.015,
          bare ? 4 : 2);
    }
    if (!bare) {
      crown(dice, topX, y - tall * 0.7, tall);
    }
  }

  private void grow(
      SceneDice dice,
      Tone bark,
      double x,
      double y,
      double angle,
      double length,
      double width,
      int levels) {
    double endX = x + Math.cos(angle) * length;
    double endY = y - Math.sin(angle) * length;
    stroke(Math.max(width, 0.0032), bark, x, y, endX, endY);
    if (levels > 0) {
      for (int side = -1; side <= 1; side += 2) {
        grow(
            dice,
            bark,
            endX,
            endY,
            angle + side * dice.between(0.25, 0.6),
            length * dice.between(0.66, 0.82),
            width * 0.62,
            levels - 1);
      }
    }
  }

  private void crown(SceneDice dice, double x, double y, double tall) {
    Tone leaf = Palette.leaves(scene.season()).times(dice.between(0.94, 1.06));
    Tone[] tones = {
      canvas.lit(leaf.times(Tone.of(0.55, 0.58, 0.64)), 0),
      canvas.lit(leaf.times(0.88), 0),
      canvas.lit(leaf.times(1.22), 0)
    };
    double[][] blobs = new double[34][];
    for (int i = 0; i < blobs.length; i++) {
      double angle = dice.between(0, 2 * Math.PI);
      double away = Math.sqrt(dice.between(0, 1));
      blobs[i] =
          new double[] {
            x + tall * 0.4 * away * Math.cos(angle),
            y + tall * 0.27 * away * Math.sin(angle),
            tall * dice.between(0.075, 0.13)
          };
    }
    int side = scene.lightSide();
    for (double[] blob : blobs) {
      canvas.disc(blob[0], blob[1], blob[2], tones[0], 1);
    }
    for (double[] blob : blobs) {
      canvas.disc(
          blob[0] + side * blob[2] * 0.25, blob[1] - blob[2] * 0.35, blob[2] * 0.72, tones[1], 1);
    }
    for (int i = 0; i < blobs.length; i += 2) {
      double[] blob = blobs[i];
      if ((blob[0] - x) * side > -tall * 0.16 && blob[1] < y + tall * 0.12) {
        canvas.disc(
            blob[0] + side * blob[2] * 0.38, blob[1] - blob[2] * 0.5, blob[2] * 0.42, tones[2], 1);
      }
    }
    if (canvas.size() > 128) {
      for (int i = 0; i < 260; i++) {
        double[] blob = blobs[i % blobs.length];
        double angle = dice.between(0, 2 * Math.PI);
        double away = Math.sqrt(dice.between(0, 1)) * blob[2] * 1.08;
        double py = blob[1] + away * Math.sin(angle);
        Tone tone = tones[(int) dice.between(0, py < y ? 3 : 2)];
        canvas.disc(blob[0] + away * Math.cos(angle), py, dice.between(0.0035, 0.007), tone, 1);
      }
    }
  }

  void house(double x, double y, double scale) {
    SceneDice dice = new SceneDice(scene.random("house"));
    double w = 0.105 * scale;
    double h = 0.085 * scale;
    double roof = 0.085 * scale;
    Tone wall =
        dice.one(
                List.of(
                    Tone.of(0.95, 0.9, 0.8), Tone.of(0.9, 0.86, 0.82), Tone.of(0.88, 0.72, 0.56)))
            .times(light);
    Tone tiles =
        (scene.season() == Season.WINTER
                ? Tone.of(0.92, 0.95, 1)
                : dice.one(
                    List.of(
                        Tone.of(0.7, 0.24, 0.18),
                        Tone.of(0.62, 0.28, 0.2),
                        Tone.of(0.4, 0.26, 0.24))))
            .times(light);
    boolean lit = scene.hour().isDark();
    shadow(x, y + 0.008, 0.15 * scale);
    canvas.fill(
        new Rectangle2D.Double(x + w * 0.42, y - h - roof * 0.95, w * 0.2, roof * 0.95),
        wall.times(0.7),
        1);
    canvas.fill(new Rectangle2D.Double(x - w, y - h, 2 * w, h), wall, 1);
    double split = w * 0.28;
    canvas.polygon(
        wall.times(scene.lightSide() > 0 ? 0.8 : 1.05),
        x - w,
        y,
        x - split,
        y,
        x - split,
        y - h,
        x - w * 0.64,
        y - h - roof * 0.72,
        x - w,
        y - h);
    canvas.polygon(
        tiles,
        x - split - w * 0.1,
        y - h + 0.004,
        x + w * 1.12,
        y - h + 0.004,
        x + w * 0.92,
        y - h - roof * 0.85,
        x - w * 0.62,
        y - h - roof * 0.85);
    canvas.polygon(
        tiles.times(0.8),
        x - w * 1.12,
        y - h + 0.012,
        x - w * 0.62,
        y - h - roof * 0.85,
        x - w * 0.54,
        y - h - roof * 0.85,
        x - w,
        y - h + 0.02);
    if (canvas.size() > 128) {
      for (int row = 1; row < 5; row++) {
        double t = row / 5.0;
        double rowY = y - h + 0.004 - t * roof * 0.85;
        double left = x - split - w * 0.1 + t * (split - w * 0.52);
        stroke(0.002, tiles.times(0.86), left, rowY, x + w * (1.12 - 0.2 * t), rowY);
      }
    }
    Tone pane = lit ? Tone.of(1, 0.86, 0.46) : Tone.of(0.32, 0.4, 0.5).times(light);
    for (double windowX : new double[] {x + w * 0.12, x + w * 0.66}) {
      window(windowX, y - h * 0.71, w * 0.17, h * 0.46, pane, wall.times(0.55));
      if (lit) {
        canvas.glow(windowX, y - h * 0.48, 0.11 * scale, Tone.of(1, 0.72, 0.3), 0.6);
        canvas.fill(
            new Rectangle2D.Double(windowX - w * 0.15, y - h * 0.69, w * 0.3, h * 0.42),
            Tone.of(1, 0.88, 0.52),
            0.8);
      }
    }
    canvas.fill(
        new Rectangle2D.Double(x - w * 0.76, y - h * 0.62, w * 0.28, h * 0.62),
        Tone.of(0.36, 0.22, 0.15).times(light),
        1);
  }

  private void window(double x, double top, double half, double height, Tone pane, Tone frame) {
    canvas.fill(
        new Rectangle2D.Double(x - half - 0.004, top - 0.004, 2 * half + 0.008, height + 0.008),
        frame,
        1);
    canvas.fill(new Rectangle2D.Double(x - half, top, 2 * half, height), pane, 1);
    if (canvas.size() > 128) {
      stroke(0.0025, frame, x, top, x, top + height);
      stroke(0.0025, frame, x - half, top + height / 2, x + half, top + height / 2);
    }
  }

  void boat(double x, double y, double scale) {
    SceneDice dice = new SceneDice(scene.random("boat"));
    Tone hull =
        dice.one(
                List.of(
                    Tone.of(0.42, 0.2, 0.13), Tone.of(0.56, 0.16, 0.14), Tone.of(0.2, 0.26, 0.38)))
            .times(light);
    int side = dice.happens(0.5) ? 1 : -1;
    AffineTransform before = canvas.graphics().getTransform();
    Composite whole = canvas.graphics().getComposite();
    // Its mirror image in the water first.
    canvas.graphics().translate(x, y);
    canvas.graphics().scale(side * scale, -0.75 * scale);
    canvas.graphics().setComposite(AlphaComposite.getInstance(AlphaComposite.SRC_OVER, 0.32f));
    boat(hull);
    canvas.graphics().setComposite(whole);
    canvas.graphics().setTransform(before);
    canvas.graphics().translate(x, y);
    canvas.graphics().scale(side * scale, scale);
    boat(hull);
    canvas.graphics().setTransform(before);
  }

  /** A boat at 0, 0 that sails to the right. */
  private void boat(Tone hull) {
    boolean sunset = scene.hour() == Hour.SUNSET;
    Tone sail = sunset ? Tone.of(1, 0.86, 0.7) : Tone.of(1, 0.98, 0.93).times(light);
    Tone shade = sunset ? Tone.of(0.86, 0.62, 0.52) : Tone.of(0.84, 0.84, 0.86).times(light);
    double w = 0.085;
    double tall = 0.235;
    canvas.polygon(hull, -w, -0.03, w * 1.12, -0.036, w * 0.72, 0.012, -w * 0.78, 0.012);
    canvas.polygon(
        hull.times(1.7), -w, -0.03, w * 1.12, -0.036, w * 1.05, -0.024, -w * 0.96, -0.02);
    stroke(0.006, Tone.of(0.3, 0.2, 0.14).times(light), 0, -0.03, 0, -tall);
    Path2D main = new Path2D.Double();
    main.moveTo(0.008, -tall * 0.97);
    main.quadTo(w * 0.62, -tall * 0.62, w * 0.98, -0.062);
    main.lineTo(0.008, -0.05);
    main.closePath();
    canvas.fill(main, sail, 1);
    Path2D fore = new Path2D.Double();
    fore.moveTo(-0.008, -tall * 0.86);
    fore.quadTo(-w * 0.5, -tall * 0.5, -w * 0.82, -0.058);
    fore.lineTo(-0.008, -0.052);
    fore.closePath();
    canvas.fill(fore, shade, 1);
    if (canvas.size() > 128) {
      stroke(0.002, shade, 0.01, -tall * 0.55, w * 0.58, -tall * 0.5);
      stroke(0.002, shade, 0.01, -tall * 0.36, w * 0.8, -tall * 0.33);
    }
  }

  /**
   * Paints the cliff under a lighthouse.
   *
   * @return how high the lighthouse stands
   */
  double cliff(double at, double level) {
    boolean right = at > 0.5;
    SceneDice dice = new SceneDice(scene.random("cliff"));
    double reach = 0.46 + dice.between(-0.03, 0.03);
    double top = level - 0.055;
    DoubleUnaryOperator rough = Canvas.noise(scene.random("cliff edge"), 8, 4, 0.6);
    Path2D shape = new Path2D.Double();
    shape.moveTo(right ? 1.01 : -0.01, top);
    for (int i = 0; i <= 100; i++) {
      double u = reach * i / 100; // Distance from the side.
      double fall = Math.max(0, (u - reach + 0.1) / 0.1);
      double y = top + 0.015 * Math.sin(u * 9) + 0.22 * fall * fall;
      shape.lineTo(right ? 1 - u : u, y + 0.016 * rough.applyAsDouble(u));
    }
    for (int i = 100; i >= 0; i--) {
      double u = reach * i / 100;
      double y = level + 0.14 + 0.1 * (1 - u / reach) + 0.03 * rough.applyAsDouble(1 - u);
      shape.lineTo(right ? 1 - u : u, y);
    }
    shape.lineTo(right ? 1.01 : -0.01, level + 0.25);
    shape.closePath();
    Tone rock = Tone.of(0.5, 0.42, 0.36);
    canvas
        .graphics()
        .setPaint(
            new GradientPaint(
                0,
                (float) top,
                canvas.lit(rock.times(1.15), 0.05).colour(1),
                0,
                (float) (level + 0.24),
                canvas.lit(rock.times(0.5), 0.05).colour(1)));
    canvas.graphics().fill(shape);
    Shape clip = canvas.graphics().getClip();
    canvas.graphics().clip(shape);
    for (int i = 0; i < 90; i++) {
      double u = dice.between(0, reach);
      double x = right ? 1 - u : u;
      double y = dice.between(top, level + 0.22);
      Tone crag = canvas.lit(rock.times(dice.between(0.4, 1.3)), 0.05);
      double half = dice.between(0.006, 0.022);
      canvas.polygon(
          crag.mixed(canvas.lit(rock, 0.05), 0.5),
          x - half,
          y,
          x,
          y - half * 1.4,
          x + half,
          y,
          x,
          y + half * 2);
    }
    canvas.graphics().setClip(clip);
    Path2D turf = new Path2D.Double();
    turf.moveTo(right ? 1.01 : -0.01, top - 0.01);
    for (int i = 0; i <= 60; i++) {
      double u = (reach - 0.07) * i / 60;
      turf.lineTo(
          right ? 1 - u : u,
          top + 0.015 * Math.sin(u * 9) + 0.016 * rough.applyAsDouble(u) - 0.003);
    }
    for (int i = 60; i >= 0; i--) {
      double u = (reach - 0.07) * i / 60;
      turf.lineTo(right ? 1 - u : u, top + 0.022 + 0.02 * rough.applyAsDouble(0.9 * (1 - u)));
    }
    turf.closePath();
    canvas.fill(turf, canvas.lit(Tone.of(0.34, 0.54, 0.24), 0.05), 1);
    double u = right ? 1 - at : at;
    return top + 0.015 * Math.sin(u * 9) + 0.016 * rough.applyAsDouble(u);
  }

  void lighthouse(double x, double y) {
    Tone white = Tone.of(0.97, 0.95, 0.92).times(light);
    Tone red = Tone.of(0.8, 0.16, 0.14).times(light);
    Tone dark = Tone.of(0.2, 0.18, 0.22).times(light);
    double tall = 0.36;
    int side = scene.lightSide();
    for (int band = 0; band < 5; band++) {
      double low = y - tall * band / 5;
      double high = y - tall * (band + 1) / 5;
      double wide = 0.04 - 0.014 * band / 5;
      double narrow = 0.04 - 0.014 * (band + 1) / 5;
      Tone tone = band % 2 == 0 ? white : red;
      canvas.polygon(tone, x - wide, low, x + wide, low, x + narrow, high, x - narrow, high);
      canvas.polygon(
          tone.times(0.76),
          x - side * wide,
          low,
          x - side * wide * 0.25,
          low,
          x - side * narrow * 0.25,
          high,
          x - side * narrow,
          high);
    }
    double top = y - tall;
    double lampY = top - 0.034;
    if (scene.hour().isDark()) {
      beam(x, lampY);
    }
    canvas.fill(new Rectangle2D.Double(x - 0.036, top - 0.012, 0.072, 0.012), dark, 1);
    Tone lamp = scene.hour() == Hour.NOON ? Tone.of(0.78, 0.86, 0.9) : Tone.of(1, 0.92, 0.58);
    canvas.fill(new Rectangle2D.Double(x - 0.021, top - 0.055, 0.042, 0.043), lamp, 1);
    stroke(0.004, dark, x, top - 0.012, x, top - 0.055);
    canvas.polygon(
        red.times(0.9),
        x - 0.03,
        top - 0.053,
        x + 0.03,
        top - 0.053,
        x + 0.012,
        top - 0.08,
        x,
        top - 0.095,
        x - 0.012,
        top - 0.08);
    canvas.fill(new Rectangle2D.Double(x - 0.01, y - 0.045, 0.02, 0.045), dark, 1);
    for (double t : new double[] {0.35, 0.62, 0.84}) {
      canvas.fill(new Rectangle2D.Double(x - 0.006, y - tall * t - 0.018, 0.012, 0.018), dark, 1);
    }
    if (scene.hour() != Hour.NOON) {
      canvas.glow(x, lampY, 0.13, Tone.of(1, 0.88, 0.5), scene.hour() == Hour.NIGHT ? 0.8 : 0.6);
    }
  }

  private void beam(double x, double y) {
    int direction = x > 0.5 ? -1 : 1;
    double power = scene.hour() == Hour.NIGHT ? 0.16 : 0.1;
    for (int layer = 1; layer <= 4; layer++) {
      Path2D cone = new Path2D.Double();
      cone.moveTo(x, y);
      cone.lineTo(x + direction * 0.7, y + 0.07 - 0.032 * layer);
      cone.lineTo(x + direction * 0.7, y + 0.07 + 0.032 * layer);
      cone.closePath();
      canvas
          .graphics()
          .setPaint(
              new GradientPaint(
                  (float) x,
                  0,
                  Tone.of(1, 0.95, 0.72).colour(power),
                  (float) (x + direction * 0.7),
                  0,
                  Tone.of(1, 0.95, 0.72).colour(0)));
      canvas.graphics().fill(cone);
    }
  }
}
