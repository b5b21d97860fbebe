package io.github.urae.openblas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.internal.algebra.DenseAlgebra;
import io.github.urae.adapter.internal.algebra.HeapFactors;
import io.github.urae.adapter.internal.algebra.LowRankFactors;
import io.github.urae.adapter.internal.algebra.RowBlock;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.internal.TaskReporter;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Merging by OpenBLAS: the same as plain Java, whose results core's tests hold to float64. */
class OpenBlasMergeTest {

  private static final String MODULE = "single_transformer_blocks.0.proj_out";

  @TempDir Path folder;

  private static float[] noise(int count, long seed) {
    Random random = new Random(seed);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Adds B A to a weight, some rows at a time. */
  private static float[] added(LowRankFactors factors, float[] weight, int columns) {
    float[] sum = weight.clone();
    int rows = weight.length / columns;
    RowBlock block = factors.newRows(LowRankFactors.MOST_ROWS);
    for (int first = 0; first < rows; first += LowRankFactors.MOST_ROWS) {
      int count = Math.min(LowRankFactors.MOST_ROWS, rows - first);
      for (int i = 0; i < count; i++) {
        block.putFloats(i, sum, (first + i) * columns);
      }
      block.add(first, count);
      for (int i = 0; i < count; i++) {
        block.getFloats(i, sum, (first + i) * columns);
      }
    }
    factors.close();
    return sum;
  }

  @ParameterizedTest
  @CsvSource({"70, 1030, 19", "67, 513, 3", "9, 20000, 33", "1, 1, 1"})
  void bothWaysOfMultiplyingAgree(int rows, int columns, int rank) {
    float[] weight = noise(rows * columns, 1);
    float[] down = noise(rank * columns, 2);
    float[] up = noise(rows * rank, 3);
    DenseAlgebra algebra = DenseAlgebra.load();
    float[] expected = added(new HeapFactors(rows, columns, rank, down, up), weight, columns);
    float[] actual = added(algebra.lowRankFactors(rows, columns, rank, down, up), weight, columns);
    assertThat(expected).isNotEqualTo(weight);
    for (int i = 0; i < weight.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(1e-4f));
    }
  }

  /**
   * From a million elements on, OpenBLAS multiplies; pairs of bfloat16 take a path of their own.
   */
  @ParameterizedTest
  @CsvSource({
    "BF16, BF16, 1029, 1030, 24",
    "F16, F32, 1029, 1031, 37",
    "BF16, BF16, 90, 15362, 17"
  })
  void largeWeights(ElementType from, ElementType to, int rows, int columns, int rank)
      throws IOException {
    float[] down = noise(rank * columns, 4);
    float[] up = noise(rows * rank, 5);
    Path adapter = folder.resolve("adapter.safetensors");
    SafetensorsWriter.write(
        adapter,
        Map.of(),
        Map.of(
            MODULE + ".lora_A.weight", Tensor.ofFloats(down, rank, columns),
            MODULE + ".lora_B.weight", Tensor.ofFloats(up, rows, rank)));
    ByteBuffer stored = ByteBuffer.allocate((int) from.byteSize((long) rows * columns));
    Elements.fromFloats(from, noise(rows * columns, 6), 0, rows * columns, stored);
    Tensor weight = Tensor.view(from, Shape.of(rows, columns), stored.flip(), "noise");
    Path base = folder.resolve("base.safetensors");
    SafetensorsWriter.write(base, Map.of(), Map.of(MODULE + ".weight", weight));
    float[] expected =
        added(new HeapFactors(rows, columns, rank, down, up), weight.toFloats(), columns);
    ByteBuffer merged = ByteBuffer.allocate((int) to.byteSize(expected.length));
    try (TensorSource source = SafetensorsFile.open(base);
        AdapterChain chain =
            AdapterChain.open(
                List.of(new AdapterSpec(adapter, 1)),
                Flux1.FAMILY,
                Map.of(Component.TRANSFORMER, source),
                AdapterOptions.STRICT)) {
      TaskReporter reporter =
          new TaskReporter(
              ProgressListener.NONE, new CancellationToken(), Stage.MERGING, merged.capacity());
      new WeightMerger(chain, Component.TRANSFORMER, source)
          .merge(MODULE + ".weight", to, merged::put, reporter);
    }
    float[] actual = new float[expected.length];
    Elements.toFloats(to, merged.flip().order(ByteOrder.LITTLE_ENDIAN), actual, 0, actual.length);
    for (int i = 0; i < expected.length; i++) {
      float unit = Math.ulp(expected[i]) * (to == ElementType.BF16 ? 0x1p16f : 1);
      assertThat(actual[i]).isCloseTo(expected[i], within(unit + 1e-4f));
    }
  }

  /** W + B2 A2 + s (B4 A4 - Bm Am), not s B4 A4 - Bm Am. */
  @Test
  void theScaleOfMinorComponentsIsOfTheDifference() throws IOException {
    String name = "transformer_blocks.0.attn.to_q.weight";
    AdapterSpec lora = AdaptedDemo.LORA;
    Path minor = AdaptedDemo.MINOR.path();
    try (AdaptedDemo model = new AdaptedDemo()) {
      Map<Double, float[]> merged = new LinkedHashMap<>();
      for (double scale : new double[] {0, 1, 0.25}) {
        AdapterChain chain = model.chain(lora, new AdapterSpec(minor, scale));
        merged.put(scale, model.merge(chain, name));
      }
      for (int i = 0; i < merged.get(0.0).length; i++) {
        double expected = 0.75 * merged.get(0.0)[i] + 0.25 * merged.get(1.0)[i];
        assertThat(Math.abs(merged.get(0.25)[i] - expected)).isLessThan(1e-6);
      }
    }
  }

  /** Rows of every kind of product, multiplied by OpenBLAS, against plain loops. */
  @ParameterizedTest
  @ValueSource(strings = {"lokr", "loha", "dora"})
  void largeWeightsOfOtherKinds(String kind) throws IOException {
    int rows = 1030;
    int columns = 1024;
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    double[] product = new double[rows * columns];
    switch (kind) {
      case "lokr" -> {
        float[] left = noise(10 * 8, 11);
        float[] up = noise(103 * 3, 12);
        float[] down = noise(3 * 128, 13);
        tensors.put(MODULE + ".lokr_w1", Tensor.ofFloats(left, 10, 8));
        tensors.put(MODULE + ".lokr_w2_a", Tensor.ofFloats(up, 103, 3));
        tensors.put(MODULE + ".lokr_w2_b", Tensor.ofFloats(down, 3, 128));
        double[] right = product(up, down, 103, 3, 128);
        for (int i = 0; i < product.length; i++) {
          int row = i / columns;
          int column = i % columns;
          product[i] = left[row / 103 * 8 + column / 128] * right[row % 103 * 128 + column % 128];
        }
      }
      case "loha" -> {
        Arrays.fill(product, 1);
        for (int factor = 1; factor <= 2; factor++) {
          float[] up = noise(rows * 2, 20 + factor);
          float[] down = noise(2 * columns, 30 + factor);
          tensors.put(MODULE + ".hada_w" + factor + "_a", Tensor.ofFloats(up, rows, 2));
          tensors.put(MODULE + ".hada_w" + factor + "_b", Tensor.ofFloats(down, 2, columns));
          double[] one = product(up, down, rows, 2, columns);
          for (int i = 0; i < product.length; i++) {
            product[i] *= one[i];
          }
        }
      }
      default -> {
        float[] up = noise(rows * 17, 41);
        float[] down = noise(17 * columns, 42);
        tensors.put(MODULE + ".lora_A.weight", Tensor.ofFloats(down, 17, columns));
        tensors.put(MODULE + ".lora_B.weight", Tensor.ofFloats(up, rows, 17));
        product = product(up, down, rows, 17, columns);
      }
    }
    float[] weight = noise(rows * columns, 6);
    double[] expected = new double[weight.length];
    for (int i = 0; i < expected.length; i++) {
      expected[i] = weight[i] + product[i];
    }
    if (kind.equals("dora")) {
      float[] lengths = noise(columns, 43);
      tensors.put(MODULE + ".dora_scale", Tensor.ofFloats(lengths, 1, columns));
      double[] squares = new double[columns];
      for (int i = 0; i < expected.length; i++) {
        squares[i % columns] += expected[i] * expected[i];
      }
      for (int i = 0; i < expected.length; i++) {
        expected[i] *= lengths[i % columns] / Math.sqrt(squares[i % columns]);
      }
    }
    Path adapter = folder.resolve("adapter.safetensors");
    SafetensorsWriter.write(adapter, Map.of(), tensors);
    Path base = folder.resolve("base.safetensors");
    SafetensorsWriter.write(
        base, Map.of(), Map.of(MODULE + ".weight", Tensor.ofFloats(weight, rows, columns)));
    try (TensorSource source = SafetensorsFile.open(base);
        AdapterChain chain =
            AdapterChain.open(
                List.of(new AdapterSpec(adapter, 1)),
                Flux1.FAMILY,
                Map.of(Component.TRANSFORMER, source),
                AdapterOptions.STRICT)) {
      float[] merged =
          new WeightMerger(chain, Component.TRANSFORMER, source).mergeToFloats(MODULE + ".weight");
      double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
      for (int i = 0; i < merged.length; i++) {
        assertThat((double) merged[i]).isCloseTo(expected[i], within(1e-5 * largest));
      }
    }
  }

  private static double[] product(float[] up, float[] down, int rows, int rank, int columns) {
    double[] product = new double[rows * columns];
    for (int row = 0; row < rows; row++) {
      for (int k = 0; k < rank; k++) {
        for (int column = 0; column < columns; column++) {
          product[row * columns + column] +=
              (double) up[row * rank + k] * down[k * columns + column];
        }
      }
    }
    return product;
  }
}
