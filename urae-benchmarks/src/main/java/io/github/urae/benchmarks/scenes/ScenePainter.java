package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Season;
import io.github.urae.benchmarks.scenes.Scene.Thing;
import java.awt.image.BufferedImage;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;

/** Paints a scene, from what is far away to what is near. */
final class ScenePainter {

  private final Scene scene;
  private final Canvas canvas;
  private final SkyPainter sky;
  private final LandPainter land;
  private final WaterPainter water;
  private final ThingPainter things;

  private ScenePainter(Scene scene, int size) {
    Palette palette = Palette.of(scene.hour(), scene.season());
    this.scene = scene;
    canvas = new Canvas(size, palette.tint(), palette.haze());
    sky = new SkyPainter(scene, palette, canvas);
    land = new LandPainter(scene, palette, canvas);
    water = new WaterPainter(scene, palette, canvas);
    things = new ThingPainter(scene, palette, canvas);
  }

  /**
   * Paints a picture.
   *
   * @param size pixels a side
   */
  static BufferedImage paint(Scene scene, int size) {
    return new ScenePainter(scene, size).paint();
  }

  private BufferedImage paint() {
    sky.paint();
    switch (scene.land()) {
      case HILLS -> hills();
      case MOUNTAINS -> mountains();
      case LAKE -> lake();
      case SEA -> sea();
      case DESERT -> {
        if (scene.peaks()) {
          land.peaks("peaks", 0.4, 0.62, 0.5, 5, Tone.of(0.6, 0.44, 0.38));
        }
        land.dunes();
      }
    }
    if (scene.birds()) {
      sky.birds();
    }
    BufferedImage picture = canvas.finished();
    brush(picture);
    return picture;
  }

  private Tone ground(int nearness) {
    return Palette.ground(scene.season(), nearness);
  }

  private void hills() {
    if (scene.peaks()) {
      land.peaks("peaks", 0.33, 0.64, 0.45, 4, Palette.rock(scene.hour()));
    }
    DoubleUnaryOperator far = land.ridge("hill a", 0.6, 0.06, 3);
    DoubleUnaryOperator middle = land.ridge("hill b", 0.68, 0.08, 2);
    DoubleUnaryOperator near = land.ridge("hill c", 0.8, 0.08, 2);
    land.hill("a", far, ground(0), 0.4);
    if (scene.forest()) {
      land.forest(middle, 0.1, 0.22, 34);
    } else {
      land.bushes("far bushes", far, 0.34);
    }
    land.hill("b", x -> middle.applyAsDouble(x) + (scene.forest() ? 0.012 : 0), ground(1), 0.16);
    land.bushes("bushes", x -> middle.applyAsDouble(x) + 0.02, 0.14);
    land.hill("c", near, ground(2), 0.02);
    land.grass(near, ground(2));
    scene.place(Thing.HOUSE).ifPresent(x -> things.house(x, near.applyAsDouble(x) + 0.012, 1.12));
    scene.place(Thing.TREE).ifPresent(x -> things.tree(x, near.applyAsDouble(x) + 0.02));
  }

  private void mountains() {
    land.peaks("far", 0.26, 0.6, 0.58, 5, Palette.rock(scene.hour()));
    land.peaks("near", 0.25, 0.7, 0.16, 3, Palette.rock(scene.hour()));
    DoubleUnaryOperator middle = land.ridge("hill b", 0.7, 0.05, 2);
    DoubleUnaryOperator near = land.ridge("hill c", 0.82, 0.06, 2);
    if (scene.forest()) {
      land.forest(middle, 0.12, 0.3, 30);
    }
    land.hill("b", x -> middle.applyAsDouble(x) + (scene.forest() ? 0.03 : 0), ground(1), 0.14);
    land.hill("c", near, ground(2), 0.02);
    land.grass(near, ground(2));
    scene.place(Thing.HOUSE).ifPresent(x -> things.house(x, near.applyAsDouble(x) + 0.012, 1));
    scene.place(Thing.TREE).ifPresent(x -> things.tree(x, near.applyAsDouble(x) + 0.02));
    if (scene.forest()) {
      double[] places =
          DoubleStream.of(0.06, 0.15, 0.86, 0.95)
              .filter(x -> scene.things().values().stream().allMatch(t -> Math.abs(x - t) > 0.18))
              .toArray();
      land.pines(x -> near.applyAsDouble(x) + 0.02, places, 0.27);
    }
  }

  private void lake() {
    double level = 0.64;
    land.peaks("far", 0.28, 0.6, 0.55, 5, Palette.rock(scene.hour()));
    land.peaks("near", 0.27, 0.66, 0.18, 3, Palette.rock(scene.hour()));
    DoubleUnaryOperator shore = land.ridge("shore", 0.625, 0.03, 3);
    if (scene.forest()) {
      land.forest(shore, 0.1, 0.2, 36);
    } else {
      land.hill("shore", x -> Math.min(shore.applyAsDouble(x), level - 0.005), ground(0), 0.22);
    }
    scene.place(Thing.HOUSE).ifPresent(x -> things.house(x, level - 0.004, 0.85));
    water.paint(level, 0.86, 0.45);
    scene.place(Thing.BOAT).ifPresent(x -> things.boat(x, 0.77, 1));
  }

  private void sea() {
    double level = 0.58;
    if (scene.peaks()) {
      land.peaks("peaks", 0.34, 0.6, 0.42, 4, Palette.rock(scene.hour()));
    }
    water.paint(level, 0.62, 1);
    boolean cliff = scene.has(Thing.LIGHTHOUSE);
    scene
        .place(Thing.LIGHTHOUSE)
        .ifPresent(
            x -> {
              double top = things.cliff(x, level);
              scene.place(Thing.BOAT).ifPresent(boat -> things.boat(boat, 0.72, 0.85));
              things.lighthouse(x, top + 0.006);
            });
    if (!cliff) {
      scene.place(Thing.BOAT).ifPresent(x -> things.boat(x, 0.74, 1.2));
    }
  }

  /** Brush and canvas: subtle, finer at larger sizes, and darker towards the corners. */
  private void brush(BufferedImage picture) {
    int size = canvas.size();
    Ripples grain = new Ripples(scene.random("brush"));
    int[] pixels = picture.getRGB(0, 0, size, size, null, 0, size);
    double strength = scene.season() == Season.WINTER ? 0.008 : 0.013;
    for (int i = 0; i < pixels.length; i++) {
      double x = (i % size + 0.5) / size - 0.5;
      int row = i / size;
      double y = (row + 0.5) / size - 0.5;
      double edge = 1 - 0.1 * Math.pow((x * x + y * y) * 2, 1.2);
      double stroke = grain.at(x * 40, y * 60) + (size > 128 ? grain.at(x * 140, y * 180) : 0);
      double factor = edge * (1 + strength * stroke);
      int pixel = pixels[i];
      pixels[i] =
          Tone.of(
                  (pixel >> 16 & 0xFF) / 255.0 * factor,
                  (pixel >> 8 & 0xFF) / 255.0 * factor,
                  (pixel & 0xFF) / 255.0 * factor)
              .rgb();
    }
    picture.setRGB(0, 0, size, size, pixels, 0, size);
  }
}
