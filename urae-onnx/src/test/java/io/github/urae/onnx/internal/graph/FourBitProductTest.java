package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers that bitsandbytes quantised to four bits, against float64 products of the values. */
class FourBitProductTest {

  private static final int TOKENS = 3;

  @TempDir Path folder;

  /** Blocks that cross rows, that end early, and some that the operator does not take. */
  @ParameterizedTest
  @CsvSource({
    "nf4, 48, 128, 64, true",
    "fp4, 48, 128, 64, true",
    "nf4, 20, 96, 64, true",
    "nf4, 7, 33, 64, true",
    "fp4, 24, 80, 4096, true",
    "nf4, 24, 80, 8, false",
    "nf4, 24, 80, 48, true",
    "fp4, 50, 100, 512, true",
    "nf4, 24, 80, 40, false",
  })
  void aLayerMultipliesWithTheValuesOfItsBlocks(
      String kind, int rows, int columns, int blockSize, boolean asStored) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    Path file = write(random, kind, rows, columns, blockSize);
    try (TensorSource stored = SafetensorsFile.open(file);
        TensorSource source = PlacedTensors.open(RecognisedEncodings.of(stored).values())) {
      NetworkGraph graph = OneLayer.graph(source, columns, rows);
      float[] x = gaussian(random, TOKENS * columns);
      float[] weight = new float[rows * columns];
      source.readFloats("layer.weight", 0, weight, 0, weight.length);
      float[] bias = source.tensor("layer.bias").toFloats();
      float[] found;
      try (Weights weights = Weights.of(graph, source)) {
        TensorSource ready = new OneLayer(folder.resolve("cache")).ready(weights);
        assertThat(ready.find("layer.weight.pairs").isPresent()).isEqualTo(asStored);
        if (asStored) {
          assertThat(ready.tensors().get("layer.weight.pairs").file()).isEqualTo(file);
        }
        found = OneLayer.run(graph, ready, Tensor.ofFloats(x, TOKENS, columns));
      }
      for (int token = 0; token < TOKENS; token++) {
        for (int row = 0; row < rows; row++) {
          double sum = bias[row];
          double magnitude = Math.abs(bias[row]);
          for (int i = 0; i < columns; i++) {
            double product = (double) x[token * columns + i] * weight[row * columns + i];
            sum += product;
            magnitude += Math.abs(product);
          }
          assertThat((double) found[token * rows + row])
              .as("token %d, row %d, seed %d", token, row, seed)
              .isCloseTo(sum, Offset.offset(2e-6 * magnitude));
        }
      }
    }
  }

  private Path write(Random random, String kind, int rows, int columns, int blockSize)
      throws IOException {
    int values = rows * columns;
    int blocks = (values + blockSize - 1) / blockSize;
    byte[] pairs = new byte[(values + 1) / 2];
    random.nextBytes(pairs);
    float[] maxima = gaussian(random, blocks);
    byte[] state =
        String.format(
                "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"bfloat16\","
                    + " \"shape\": [%d, %d]}",
                kind, blockSize, rows, columns)
            .getBytes(StandardCharsets.UTF_8);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    tensors.put("layer.bias", Tensor.ofFloats(gaussian(random, rows), rows));
    tensors.put("layer.weight.absmax", Tensor.ofFloats(maxima, blocks));
    tensors.put("layer.weight", bytes(pairs, pairs.length, 1));
    tensors.put("layer.weight.quant_state.bitsandbytes__" + kind, bytes(state, state.length));
    Path file = folder.resolve("layer.safetensors");
    SafetensorsWriter.write(file, Map.of(), tensors);
    return file;
  }

  private static Tensor bytes(byte[] values, long... shape) {
    return Tensor.view(ElementType.U8, Shape.of(shape), ByteBuffer.wrap(values), "bytes");
  }

  private static float[] gaussian(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
