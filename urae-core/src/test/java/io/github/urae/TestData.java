package io.github.urae;

import java.net.URISyntaxException;
import java.nio.file.Path;

/** Recorded data of the tests; its README tells where it comes from. */
public final class TestData {

  private TestData() {}

  /** Returns a file under {@code src/test/resources}. */
  public static Path path(String name) {
    try {
      return Path.of(TestData.class.getResource("/" + name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(name, e);
    }
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
}
