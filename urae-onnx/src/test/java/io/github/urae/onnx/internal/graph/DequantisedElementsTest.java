package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.quantised.ScaledElements;
import io.github.urae.weights.internal.quantised.Scales;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers of float8 and int8 elements, against float64 products of the decoded values. */
class DequantisedElementsTest {

  private static final int TOKENS = 3;
  private static final int ROWS = 24;
  private static final int COLUMNS = 60;

  @TempDir Path folder;

  /** One factor (no rectangle), one for each row, blocks of rows, and rectangles. */
  @ParameterizedTest
  @CsvSource({
    "F8_E4M3, 0, 0, F32",
    "F8_E5M2, 0, 0, F32",
    "F8_E4M3, 1, 60, F32",
    "F8_E5M2, 1, 60, BF16",
    "I8, 1, 60, F32",
    "F8_E4M3, 1, 15, F16",
    "F8_E4M3, 8, 20, F32",
    "F8_E5M2, 24, 30, F32",
  })
  void aLayerMultipliesWithTheValuesOfItsElements(
      ElementType elements, int height, int width, ElementType scaleType) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    try (TensorSource source = source(random, elements, height, width, scaleType)) {
      NetworkGraph graph = OneLayer.graph(source, COLUMNS, ROWS);
      float[] x = new float[TOKENS * COLUMNS];
      for (int i = 0; i < x.length; i++) {
        x[i] = (float) random.nextGaussian();
      }
      Tensor input = Tensor.ofFloats(x, TOKENS, COLUMNS);
      float[] weight = new float[ROWS * COLUMNS];
      source.readFloats("layer.weight", 0, weight, 0, weight.length);
      float[] bias = source.tensor("layer.bias").toFloats();
      OneLayer layer = new OneLayer(folder.resolve("cache"));
      Path file = source.files().get(0);
      try (Weights weights = Weights.of(graph, source)) {
        TensorSource ready = layer.ready(weights);
        // A byte each, where they lie.
        TensorInfo inPlace = ready.tensors().get("layer.weight.elements");
        assertThat(inPlace.file()).isEqualTo(file);
        assertThat(inPlace.length()).isEqualTo(ROWS * COLUMNS);
        float[] found = OneLayer.run(graph, ready, input);
        assertClose(x, weight, bias, found, seed);
        Files.delete(file);
        assertThat(OneLayer.run(graph, ready, input)).isEqualTo(found);
      }
    }
  }

  private static void assertClose(
      float[] x, float[] weight, float[] bias, float[] found, long seed) {
    for (int token = 0; token < TOKENS; token++) {
      for (int row = 0; row < ROWS; row++) {
        double sum = bias[row];
        double magnitude = Math.abs(bias[row]);
        for (int i = 0; i < COLUMNS; i++) {
          double product = (double) x[token * COLUMNS + i] * weight[row * COLUMNS + i];
          sum += product;
          magnitude += Math.abs(product);
        }
        assertThat((double) found[token * ROWS + row])
            .as("token %d, row %d, seed %d", token, row, seed)
            .isCloseTo(sum, Offset.offset(2e-6 * magnitude));
      }
    }
  }

  private TensorSource source(
      Random random, ElementType elements, int height, int width, ElementType scaleType)
      throws IOException {
    int values = ROWS * COLUMNS;
    ByteBuffer bytes = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    // No place is aligned: a byte needs none. Neither type has its numbers from 0x79 on.
    bytes.put((byte) 0);
    for (int i = 0; i < values; i++) {
      bytes.put((byte) (random.nextInt(0x79) | random.nextInt(2) << 7));
    }
    Path file = folder.resolve("layer.bin");
    Scales scales = new Scales(0.5f, Optional.empty(), 1, 1, 1);
    if (height > 0) {
      bytes.put(new byte[3]);
      int count = ROWS / height * (COLUMNS / width);
      int offset = bytes.position();
      float[] numbers = new float[count];
      for (int i = 0; i < count; i++) {
        numbers[i] = (float) Math.exp(random.nextGaussian());
      }
      Elements.fromFloats(scaleType, numbers, 0, count, bytes);
      TensorInfo tensor =
          new TensorInfo(
              "scale",
              WeightEncoding.plain(scaleType),
              Shape.of(count),
              file,
              offset,
              scaleType.byteSize(count));
      scales = new Scales(0.25f, Optional.of(tensor), height, width, COLUMNS / width);
    }
    while (bytes.position() % Float.BYTES != 0) {
      bytes.put((byte) 0);
    }
    int biasOffset = bytes.position();
    for (int i = 0; i < ROWS; i++) {
      bytes.putFloat((float) random.nextGaussian());
    }
    Files.write(file, Arrays.copyOf(bytes.array(), bytes.position()));
    WeightEncoding encoding = new ScaledElements("made up", elements, scales);
    return PlacedTensors.open(
        List.of(
            new TensorInfo("layer.weight", encoding, Shape.of(ROWS, COLUMNS), file, 1, values),
            new TensorInfo(
                "layer.bias",
                WeightEncoding.plain(ElementType.F32),
                Shape.of(ROWS),
                file,
                biasOffset,
                ROWS * Float.BYTES)));
  }
}
