package io.github.urae.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** A small checkpoint and data recorded with it; {@code README.md} tells where both are from. */
public final class TestData {

  /** Working files of tests: under the build's folder, so that nothing is left elsewhere. */
  public static final Path CACHE = Path.of("target", "test-cache").toAbsolutePath();

  /** Files and folders that this process has found, by their names. */
  private static final Map<String, Path> FOUND = new ConcurrentHashMap<>();

  private TestData() {}

  /**
   * Returns the checkpoint that everything was recorded with, a folder in diffusers' layout. Not to
   * be written to.
   */
  public static Path checkpoint() {
    return path("flux-tiny");
  }

  /** Returns URAE's LoRA for twice the checkpoint's native size. Not to be written to. */
  public static Path adapter2k() {
    return path("adapters/urae_2k_adapter.safetensors");
  }

  /**
   * Returns URAE's minor components for four times the native size, to be used after {@link
   * #adapter2k()}. Not to be written to.
   */
  public static Path adapter4k() {
    return path("adapters/urae_4k_adapter.safetensors");
  }

  /**
   * Returns a recorded file or folder, such as {@code golden/vae.safetensors}. Not to be written
   * to.
   */
  public static Path path(String name) {
    return FOUND.computeIfAbsent(name, TestData::find);
  }

  private static Path find(String name) {
    URL resource = TestData.class.getResource("/" + name);
    if (resource == null) {
      throw new IllegalArgumentException("the test kit has no " + name);
    }
    try {
      return resource.openConnection() instanceof JarURLConnection jar
          ? unpacked(Path.of(jar.getJarFileURL().toURI()), name)
          : Path.of(resource.toURI());
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(name, e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path unpacked(Path jar, String name) throws IOException {
    try (FileSystem files = FileSystems.newFileSystem(jar)) {
      Path root = files.getPath("/");
      List<Path> wanted;
      try (Stream<Path> walked = Files.walk(files.getPath("/" + name))) {
        wanted = walked.filter(Files::isRegularFile).toList();
      }
      for (Path file : wanted) {
        unpack(file, CACHE.resolve("testkit").resolve(root.relativize(file).toString()));
      }
    }
    return CACHE.resolve("testkit").resolve(name);
  }

  /** Replaces a file of an earlier build, also while another process reads that. */
  private static void unpack(Path file, Path target) throws IOException {
    Files.createDirectories(target.getParent());
    Path temporary = Files.createTempFile(CACHE, "unpacked", null);
    Files.copy(file, temporary, StandardCopyOption.REPLACE_EXISTING);
    Files.move(
        temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Returns the largest absolute difference of two arrays of the same length. */
  public static double largestDifference(float[] expected, float[] actual) {
    if (expected.length != actual.length) {
      throw new AssertionError("expected " + expected.length + " values, got " + actual.length);
    }
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      double difference = Math.abs((double) expected[i] - actual[i]);
      // A comparison that NaN does not pass.
      if (!(difference <= largest)) {
        largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
      }
    }
    return largest;
  }

  /** Returns the largest absolute difference, relative to the largest expected value. */
  public static double relativeDifference(float[] expected, float[] actual) {
    double scale = 0;
    for (float value : expected) {
      scale = Math.max(scale, Math.abs(value));
    }
    return largestDifference(expected, actual) / scale;
  }

  /**
   * Prints and checks the largest absolute difference, relative to the largest expected value.
   *
   * @param tolerance what it must be less than
   */
  public static void assertClose(String what, float[] expected, float[] actual, double tolerance) {
    double difference = relativeDifference(expected, actual);
    System.out.printf("%-58s %.2e (allowed %.0e)%n", what, difference, tolerance);
    assertThat(difference).as(what).isLessThan(tolerance);
  }
}
