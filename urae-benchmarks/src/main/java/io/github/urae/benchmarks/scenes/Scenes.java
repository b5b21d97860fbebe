package io.github.urae.benchmarks.scenes;

import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Paints landscapes with captions, to train the demonstration checkpoint's adapters on: a folder of
 * {@code scene_N.png} and {@code scene_N.txt}, ready for {@code urae train prepare}.
 *
 * <p>Mountains, hills, lakes, the sea and deserts; at noon, dawn, sunset and night; in four
 * seasons; with sun, moons, clouds, northern lights, birds, pine forests, trees, houses, boats and
 * lighthouses. A seed gives the same scenes at every size, and captions in the words that the
 * checkpoint was trained on.
 */
public final class Scenes {

  private Scenes() {}

  /**
   * Paints pictures.
   *
   * @param folder made where it is missing
   * @param count how many
   * @param size pixels a side, a multiple of 16
   * @param seed of all of them
   * @throws IOException if a file cannot be written
   */
  public static void paint(Path folder, int count, int size, long seed) throws IOException {
    Files.createDirectories(folder);
    Random random = new Random(seed);
    for (int i = 0; i < count; i++) {
      Scene scene = new SceneDice(random).scene();
      String caption = SceneCaption.of(scene, random);
      String name = String.format(Locale.ROOT, "scene_%05d", i);
      try (OutputStream out = Files.newOutputStream(folder.resolve(name + ".png"))) {
        RgbImage picture = RgbImage.of(ScenePainter.paint(scene, size));
        ImageFormat.PNG.write(picture, Map.of(), out);
      }
      Files.writeString(folder.resolve(name + ".txt"), caption + "\n");
    }
  }
}
