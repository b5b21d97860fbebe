package io.github.urae;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.demo.DemoModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Path;

/** The demo checkpoint and recorded data of the tests. */
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

  /** Returns a file under {@code src/test/resources}. */
  public static Path path(String name) {
    try {
      return Path.of(TestData.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(name, e);
    }
  }

  /** Returns the largest absolute difference, relative to the largest expected value. */
  public static double relativeDifference(float[] expected, float[] actual) {
    if (expected.length != actual.length) {
      throw new AssertionError("expected " + expected.length + " values, got " + actual.length);
    }
    double largest = 0;
    double scale = 0;
    for (int i = 0; i < expected.length; i++) {
      double difference = Math.abs((double) expected[i] - actual[i]);
      // A comparison that NaN does not pass.
      if (!(difference <= largest)) {
        largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
      }
      scale = Math.max(scale, Math.abs(expected[i]));
    }
    return largest / scale;
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
