package io.github.urae.weights;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** What official packages read from quantised files: {@code quantised/golden} of the test kit. */
public final class GoldenTensors {

  /** Relative to the sum of magnitudes. */
  private static final double TOLERANCE = 1e-6;

  private static final String FULL = "full/";
  private static final String ROWS = "rows_0_1_last/";

  private GoldenTensors() {}

  /**
   * Compares the values of all tensors of a file.
   *
   * @param source has them by the names that the golden data have, those of the file
   * @param name of the golden data
   */
  public static void assertRead(TensorSource source, String name) throws IOException {
    JsonNode golden =
        new ObjectMapper()
            .readTree(TestData.path("quantised/golden/" + name + ".json").toFile())
            .get("tensors");
    List<String> names = new ArrayList<>();
    golden.fieldNames().forEachRemaining(names::add);
    assertThat(source.tensors().keySet()).containsExactlyInAnyOrderElementsOf(names);
    for (String tensor : names) {
      assertSums(tensor, golden.get(tensor), values(source, tensor), shape(source, tensor));
    }
    assertSamples(source, name);
  }

  private static long[] shape(TensorSource source, String tensor) {
    return source.tensors().get(tensor).shape().toArray();
  }

  private static float[] values(TensorSource source, String tensor) throws IOException {
    float[] values = new float[(int) source.tensors().get(tensor).shape().elementCount()];
    source.readFloats(tensor, 0, values, 0, values.length);
    return values;
  }

  private static void assertSums(String tensor, JsonNode golden, float[] values, long[] shape) {
    List<Long> dimensions = new ArrayList<>();
    golden.get("shape").forEach(dimension -> dimensions.add(dimension.asLong()));
    assertThat(shape).as(tensor).isEqualTo(dimensions.stream().mapToLong(d -> d).toArray());
    double sum = 0;
    double magnitudes = 0;
    double squares = 0;
    double probe = 0;
    SplittableRandom random = new SplittableRandom(0);
    for (float value : values) {
      sum += value;
      magnitudes += Math.abs((double) value);
      squares += (double) value * value;
      probe += value * ((random.nextLong() >>> 11) * 0x1p-52 - 1);
    }
    Map<String, Double> found = new TreeMap<>();
    found.put("sum", sum);
    found.put("abs", magnitudes);
    found.put("squares", squares);
    found.put("probe", probe);
    found.forEach(
        (kind, value) -> {
          double scale = golden.get(kind.equals("squares") ? kind : "abs").asDouble();
          assertThat(Math.abs(value - golden.get(kind).asDouble()))
              .as("%s of %s", kind, tensor)
              .isLessThanOrEqualTo(TOLERANCE * scale);
        });
  }

  /** Whole vectors, and rows 0, 1 and the last of matrices, bit for bit. */
  private static void assertSamples(TensorSource source, String name) throws IOException {
    try (SafetensorsFile golden =
        SafetensorsFile.open(TestData.path("quantised/golden/" + name + ".safetensors"))) {
      int compared = 0;
      for (String sample : golden.tensors().keySet()) {
        boolean full = sample.startsWith(FULL);
        if (full || sample.startsWith(ROWS)) {
          String tensor = sample.substring(full ? FULL.length() : ROWS.length());
          float[] values = values(source, tensor);
          float[] found =
              full ? values : rows(values, (int) source.tensors().get(tensor).columns());
          assertThat(found).as(tensor).containsExactly(golden.tensor(sample).toFloats());
          compared++;
        }
      }
      assertThat(compared).isPositive();
    }
  }

  private static float[] rows(float[] values, int columns) {
    float[] rows = Arrays.copyOf(values, 3 * columns);
    System.arraycopy(values, values.length - columns, rows, 2 * columns, columns);
    return rows;
  }
}
