package io.github.urae.benchmarks.scenes;

import io.github.urae.benchmarks.scenes.Scene.Body;

/** Water: the sky and what stands before it, mirrored, broken by waves, with the light's path. */
final class WaterPainter {

  private final Scene scene;
  private final Palette palette;
  private final Canvas canvas;

  WaterPainter(Scene scene, Palette palette, Canvas canvas) {
    this.scene = scene;
    this.palette = palette;
    this.canvas = canvas;
  }

  /**
   * Paints water from a level down.
   *
   * @param mirror how much of what stands above is seen in it, 0 to 1
   * @param choppy how much waves break that, 0 to 1
   */
  void paint(double level, double mirror, double choppy) {
    int size = canvas.size();
    int[] pixels = canvas.image().getRGB(0, 0, size, size, null, 0, size);
    Ripples ripples = new Ripples(scene.random("water"));
    int first = (int) Math.round(level * size);
    for (int row = first; row < size; row++) {
      double v = ((row + 0.5) / size - level) / (1 - level);
      for (int column = 0; column < size; column++) {
        double x = (column + 0.5) / size;
        double waves =
            0.65 * wave(ripples, x, v, 4.5, 13, 3) + 0.45 * wave(ripples, x, v, 9, 26, 17);
        double fine = size > 128 ? wave(ripples, x, v, 20, 60, 31) : 0;
        Tone tone = mirrored(pixels, row, x, v, level, mirror, choppy, waves);
        double bright = choppy * (scene.hour() == Scene.Hour.NIGHT ? 0.05 : 0.1);
        tone = tone.times(1 + bright * (waves + 0.5 * fine));
        tone = tone.mixed(palette.low(), lightPath(x, v, waves + 0.5 * fine));
        pixels[row * size + column] = tone.rgb();
      }
    }
    canvas.image().setRGB(0, first, size, size - first, pixels, first * size, size);
  }

  private static double wave(
      Ripples ripples, double x, double v, double across, double along, double shift) {
    return ripples.at(
        (x - 0.5) / (0.22 + v) * across + 40 + shift, Math.log1p(v * 9) * along + shift);
  }

  private Tone mirrored(
      int[] pixels,
      int row,
      double x,
      double v,
      double level,
      double mirror,
      double choppy,
      double waves) {
    int size = canvas.size();
    double shift = waves * choppy * (0.006 + 0.03 * v);
    int column = (int) Math.max(0, Math.min(size - 1, (x + 0.8 * shift) * size));
    double up = 2 * level - (row + 0.5) / size + Math.abs(shift) * 0.9;
    int from = (int) Math.max(0, Math.min(level * size - 1.5, up * size));
    int pixel = pixels[from * size + column];
    Tone seen =
        Tone.of((pixel >> 16 & 0xFF) / 255.0, (pixel >> 8 & 0xFF) / 255.0, (pixel & 0xFF) / 255.0);
    double share = mirror * (1 - 0.45 * v) + 0.12 * Math.exp(-v * 8);
    return palette.water().mixed(seen, Math.max(0, Math.min(1, share)));
  }

  /** How much of the sun's or the moon's light a wave throws back. */
  private double lightPath(double x, double v, double waves) {
    if (scene.body() == Body.NONE) {
      return 0;
    }
    double power =
        switch (scene.hour()) {
          case NOON -> 0.35;
          case DAWN -> 0.6;
          case SUNSET -> 0.8;
          case NIGHT -> scene.body() == Body.CRESCENT_MOON ? 0.33 : 0.55;
        };
    double away = (x - scene.bodyX()) / (0.035 + 0.1 * v);
    double sparkle = Math.max(0.12, Math.min(0.95, 0.3 + waves));
    return Math.exp(-away * away) * sparkle * power * (1 - 0.35 * v);
  }
}
