package io.github.urae.benchmarks.scenes;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScenesTest {

  private static final int COUNT = 6;

  @TempDir Path folder;

  private Path paint(String name, int size, long seed) throws IOException {
    Path painted = folder.resolve(name);
    Scenes.paint(painted, COUNT, size, seed);
    return painted;
  }

  private static Map<String, byte[]> files(Path folder) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> entries = Files.list(folder)) {
      for (Path file : (Iterable<Path>) entries::iterator) {
        files.put(file.getFileName().toString(), Files.readAllBytes(file));
      }
    }
    return files;
  }

  private static void assertSame(Path folder, Map<String, byte[]> expected) throws IOException {
    Map<String, byte[]> found = files(folder);
    assertThat(found.keySet()).isEqualTo(expected.keySet());
    found.forEach((name, bytes) -> assertThat(bytes).as(name).isEqualTo(expected.get(name)));
  }

  @Test
  void aSeedTellsEveryByte() throws IOException {
    Map<String, byte[]> first = files(paint("first", 64, 3));
    assertThat(first).hasSize(2 * COUNT).containsKeys("scene_00000.png", "scene_00005.txt");
    assertSame(paint("again", 64, 3), first);
    assertThat(files(paint("other", 64, 4)).get("scene_00000.png"))
        .isNotEqualTo(first.get("scene_00000.png"));
  }

  @Test
  void whatWasEndedGoesOn() throws IOException {
    Path painted = paint("ended", 64, 5);
    Map<String, byte[]> whole = files(painted);
    // Ended before a caption was written, and in the midst of a picture.
    Files.delete(painted.resolve("scene_00002.txt"));
    Files.delete(painted.resolve("scene_00004.txt"));
    Files.write(painted.resolve("scene_00004.png"), new byte[] {1, 2, 3});
    assertSame(paint("ended", 64, 5), whole);
  }

  /** The same scene twice as large: nearer to itself than to any other. */
  @Test
  void aSeedShowsTheSameAtEverySize() throws IOException {
    Path small = paint("small", 64, 6);
    Path large = paint("large", 128, 6);
    for (int i = 0; i < COUNT; i++) {
      String name = "scene_0000" + i;
      assertThat(large.resolve(name + ".txt"))
          .hasSameTextualContentAs(small.resolve(name + ".txt"));
      double same = apart(small.resolve(name + ".png"), large.resolve(name + ".png"));
      for (int other = 0; other < COUNT; other++) {
        if (other != i) {
          assertThat(same)
              .as("%s and %d", name, other)
              .isLessThan(
                  apart(
                      small.resolve("scene_0000" + other + ".png"), large.resolve(name + ".png")));
        }
      }
    }
  }

  /** Returns how far apart colours are in the mean, of a picture and of one twice as large. */
  private static double apart(Path small, Path large) throws IOException {
    BufferedImage a = ImageIO.read(small.toFile());
    BufferedImage b = ImageIO.read(large.toFile());
    assertThat(b.getWidth()).isEqualTo(2 * a.getWidth());
    long sum = 0;
    for (int y = 0; y < a.getHeight(); y++) {
      for (int x = 0; x < a.getWidth(); x++) {
        for (int shift = 0; shift <= 16; shift += 8) {
          int four = 0;
          for (int i = 0; i < 4; i++) {
            four += b.getRGB(2 * x + i % 2, 2 * y + i / 2) >> shift & 0xFF;
          }
          sum += Math.abs((a.getRGB(x, y) >> shift & 0xFF) - four / 4);
        }
      }
    }
    return sum / (3.0 * a.getWidth() * a.getHeight());
  }

  @Test
  void captionsNameWhatStandsThere() {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int i = 0; i < 500; i++) {
      Scene scene = new SceneDice(random).scene();
      String caption = SceneCaption.of(scene, random);
      for (Scene.Thing thing : Scene.Thing.values()) {
        String words =
            switch (thing) {
              case TREE -> "\\b(a|an) (\\w+ )*tree\\b";
              case HOUSE -> "\\b(house|cottage)\\b";
              case BOAT -> "\\b(boat|sailboat|sailing ship)\\b";
              case LIGHTHOUSE -> "\\blighthouse\\b";
            };
        assertThat(Pattern.compile(words).matcher(caption).find())
            .as("seed %d, scene %d: %s in '%s'", seed, i, thing, caption)
            .isEqualTo(scene.has(thing));
      }
    }
  }
}
