package io.github.urae.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.demo.DemoModel;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The demo checkpoint and recorded data of the tests; {@code README.md} tells where it is from. */
public final class TestData {

  /** Working files of tests: under the build's folder, so that nothing is left elsewhere. */
  public static final Path CACHE = Path.of("target", "test-cache").toAbsolutePath();

  private TestData() {}

  /** Returns the demo checkpoint, unpacked. */
  public static DemoModel demo() {
    try {
      return DemoModel.unpackInto(CACHE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns a recorded file, such as {@code golden/vae.safetensors}. Not to be written to. */
  public static Path path(String name) {
    URL resource = TestData.class.getResource("/" + name);
    if (resource == null) {
      throw new IllegalArgumentException("the test kit has no " + name);
    }
    try {
      return resource.getProtocol().equals("file")
          ? Path.of(resource.toURI())
          : unpacked(resource, CACHE.resolve("testkit").resolve(name));
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(name, e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path unpacked(URL resource, Path target) throws IOException {
    Files.createDirectories(target.getParent());
    Path temporary = Files.createTempFile(target.getParent(), "unpacked", null);
    try (InputStream in = resource.openStream()) {
      Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
    }
    return Files.move(
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
