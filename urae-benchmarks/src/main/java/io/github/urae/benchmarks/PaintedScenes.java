package io.github.urae.benchmarks;

import io.github.urae.benchmarks.scenes.Scenes;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Paints the landscapes that the demonstration checkpoint's adapters are trained on.
 *
 * <p>Arguments: {@code --output FOLDER}; {@code --count}, 100 if not said otherwise; {@code
 * --size}, pixels a side, 256; {@code --seed}, 1.
 */
public final class PaintedScenes {

  private static final String USAGE =
      "usage: ./benchmark scenes --output FOLDER [--count N] [--size N] [--seed N]\n";

  private PaintedScenes() {}

  /**
   * Runs the program.
   *
   * @param arguments as above
   * @throws IOException if a file cannot be written
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    String output = parsed.option("output", "");
    int count = parsed.number("count", 100);
    int size = parsed.number("size", 256);
    int seed = parsed.number("seed", 1);
    parsed.finish();
    if (output.isEmpty()) {
      throw new IllegalArgumentException("--output is missing\n" + USAGE);
    }
    Scenes.paint(Path.of(output), count, size, seed);
    System.out.println(count + " pictures of " + size + "x" + size + " pixels in " + output);
  }
}
