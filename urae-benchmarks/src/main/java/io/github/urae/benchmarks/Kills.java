package io.github.urae.benchmarks;

import io.github.urae.image.RgbImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Kills processes (SIGKILL) at random moments of drawing, merging, exporting and converting, half
 * of them with an empty cache of weights. After each, the output must be absent or whole, and the
 * next process, with the cache that the killed one has left, must write what an undisturbed one
 * writes and leave nothing partial beside it. Ends with status 1 where that failed.
 *
 * <p>Options: {@code --times} (300; work that was done before its moment does not count), {@code
 * --seed} (random).
 */
public final class Kills {

  private static final String USAGE = "usage: ./benchmark kill [--times N] [--seed N]";

  private final Path cache;
  private final Path outputs;
  private final Map<String, String> right = new HashMap<>();
  private final Map<String, Long> milliseconds = new HashMap<>();
  private int failed;

  private Kills(Path cache, Path outputs) {
    this.cache = cache;
    this.outputs = outputs;
  }

  /**
   * Runs the benchmark.
   *
   * @param arguments as above
   * @throws IOException if a process cannot be started, or a file not read
   * @throws InterruptedException if this thread is interrupted
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Arguments given = Arguments.parse(arguments, USAGE);
    int times = given.number("times", 300);
    int seed = given.number("seed", (int) System.nanoTime());
    given.finish();
    System.out.println("seed " + seed);
    int failed;
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      failed =
          new Kills(
                  Files.createDirectory(folder.path().resolve("cache")),
                  Files.createDirectory(folder.path().resolve("outputs")))
              .run(times, new SplittableRandom(seed));
    }
    System.exit(failed == 0 ? 0 : 1);
  }

  private int run(int times, SplittableRandom random) throws IOException, InterruptedException {
    for (String name : KilledWork.NAMES) {
      undisturbed(name);
      right.put(name, content(name));
    }
    Map<String, Integer> killed = new TreeMap<>();
    Map<String, Integer> written = new TreeMap<>();
    int kills = 0;
    int done = 0;
    for (int i = 0; kills < times; i++) {
      String name = KilledWork.NAMES.get(i % KilledWork.NAMES.size());
      delete(outputs.resolve(KilledWork.output(name)));
      if (random.nextBoolean()) {
        for (Path file : List.copyOf(files(cache))) {
          if (file.getParent().equals(cache) && file.toString().endsWith(".safetensors")) {
            Files.delete(file);
          }
        }
      }
      long delay = random.nextLong(milliseconds.get(name) + 1);
      if (kill(name, delay)) {
        killed.merge(name, 1, Integer::sum);
        kills++;
        if (kills % 50 == 0) {
          System.out.printf("%d killed, %d failures%n", kills, failed);
        }
      } else {
        done++;
      }
      if (Files.exists(outputs.resolve(KilledWork.output(name)))) {
        written.merge(name, 1, Integer::sum);
        expect(right.get(name).equals(content(name)), name, delay, "its output is not whole");
      }
      age(outputs);
      undisturbed(name);
      expect(right.get(name).equals(content(name)), name, delay, "the next output is wrong");
      expect(partials(outputs).isEmpty(), name, delay, "left: " + partials(outputs));
    }
    System.out.printf(
        "killed %s, of which had written their output %s; %d were done before; %d failures%n",
        killed, written, done, failed);
    return failed;
  }

  private boolean kill(String name, long delay) throws IOException, InterruptedException {
    try (JavaProcess work = start(name)) {
      if (work.waitFor(delay, TimeUnit.MILLISECONDS)) {
        return false;
      }
      work.kill();
      boolean unused = work.waitFor(1, TimeUnit.MINUTES);
      return true;
    }
  }

  private void undisturbed(String name) throws IOException, InterruptedException {
    delete(outputs.resolve(KilledWork.output(name)));
    long start = System.nanoTime();
    try (JavaProcess work = start(name)) {
      boolean over = work.waitFor(10, TimeUnit.MINUTES);
      if (!over || work.status() != 0) {
        throw new IllegalStateException(name + " failed: " + work.said());
      }
    }
    // The latest: how busy the machine is changes.
    milliseconds.put(name, (System.nanoTime() - start) / 1_000_000);
  }

  private JavaProcess start(String name) throws IOException {
    return JavaProcess.start(
        cache,
        KilledWork.class.getName(),
        List.of(name, cache.toString(), outputs.resolve(KilledWork.output(name)).toString()));
  }

  private void expect(boolean holds, String name, long delay, String otherwise) {
    if (!holds) {
      failed++;
      System.out.printf("%s killed after %d ms: %s%n", name, delay, otherwise);
    }
  }

  /** Returns what is in a picture, file or folder; pictures also tell when they were drawn. */
  private String content(String name) throws IOException {
    Path output = outputs.resolve(KilledWork.output(name));
    if (name.equals("generate")) {
      try {
        return Integer.toString(RgbImage.read(output).hashCode());
      } catch (IOException | RuntimeException e) {
        return e.toString();
      }
    }
    StringBuilder content = new StringBuilder();
    for (Path file : files(output)) {
      if (Files.isRegularFile(file)) {
        content.append(output.relativize(file)).append(' ').append(digest(file)).append('\n');
      }
    }
    return content.toString();
  }

  private static String digest(Path file) throws IOException {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Files that were written a moment ago may still be written by somebody, and stay. */
  private static void age(Path folder) throws IOException {
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofHours(2)));
    for (Path partial : partials(folder)) {
      Files.setLastModifiedTime(partial, old);
    }
  }

  private static List<Path> partials(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(entry -> entry.toString().endsWith(".partial")).toList();
    }
  }

  private static List<Path> files(Path root) throws IOException {
    if (!Files.exists(root)) {
      return List.of();
    }
    try (Stream<Path> walk = Files.walk(root)) {
      return walk.sorted().toList();
    }
  }

  private static void delete(Path root) throws IOException {
    List<Path> entries = files(root);
    for (int i = entries.size() - 1; i >= 0; i--) {
      Files.delete(entries.get(i));
    }
  }
}
