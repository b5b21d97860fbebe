package io.github.urae.benchmarks.scenes;

import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.FileReplacement;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

  private record Task(String name, Scene scene, String caption) {}

  private Scenes() {}

  /**
   * Paints pictures, on all processors. Those that are there stay, so that a call that was ended
   * goes on where it was.
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
    List<Task> tasks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Scene scene = new SceneDice(random).scene();
      String caption = SceneCaption.of(scene, random);
      tasks.add(new Task(String.format(Locale.ROOT, "scene_%05d", i), scene, caption));
    }
    try {
      tasks.parallelStream().forEach(task -> paint(folder, task, size));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** The caption is written last: with it, a picture is there. */
  private static void paint(Path folder, Task task, int size) {
    Path caption = folder.resolve(task.name() + ".txt");
    if (Files.exists(caption)) {
      return;
    }
    Path picture = folder.resolve(task.name() + ".png");
    Path unfinished = FileReplacement.temporarySibling(picture);
    try {
      try (OutputStream out = Files.newOutputStream(unfinished)) {
        ImageFormat.PNG.write(RgbImage.of(ScenePainter.paint(task.scene(), size)), Map.of(), out);
      }
      FileReplacement.rename(unfinished, picture);
      Files.writeString(caption, task.caption() + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
