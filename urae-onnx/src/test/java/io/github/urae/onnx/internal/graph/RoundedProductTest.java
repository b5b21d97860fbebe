package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layers whose weights are rounded to blocks, against products in float64. */
class RoundedProductTest {

  private static final int TOKENS = 7;
  private static final int OUTPUTS = 48;

  @TempDir Path folder;

  /** With prepacking activations are rounded, too; rows of 96 and 160 end within a block. */
  @ParameterizedTest
  @CsvSource({
    "Q8, BLOCK, 256, true, 0.02",
    "Q8, BLOCK, 96, true, 0.02",
    "Q8, MODULATION, 160, true, 0.02",
    "Q8, BLOCK, 160, false, 0.01",
    "Q8, ENCODER, 96, false, 0.01",
    "Q4, BLOCK, 256, true, 0.15",
    "Q4, MODULATION, 160, true, 0.15",
    "Q4, BLOCK, 96, false, 0.15",
    "Q4, ENCODER, 160, true, 0.01",
    "Q8, EDGE, 160, true, 1e-6",
  })
  void aLayerIsAsExactAsItsBits(
      LinearArithmetic arithmetic, LayerRole role, int inputs, boolean prepacking, double allowed)
      throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    float[] weight = gaussian(random, OUTPUTS * inputs);
    // Channels without weights, with one, and with next to nothing.
    for (int i = 0; i < inputs; i++) {
      weight[i] = 0;
      weight[inputs + i] = i == 3 ? 2 : 0;
      weight[2 * inputs + i] *= 1e-40f;
    }
    float[] bias = gaussian(random, OUTPUTS);
    float[] x = gaussian(random, TOKENS * inputs);
    Path file = folder.resolve("layer.safetensors");
    SafetensorsWriter.write(
        file,
        Map.of(),
        Map.of(
            "layer.weight", Tensor.ofFloats(weight, OUTPUTS, inputs),
            "layer.bias", Tensor.ofFloats(bias, OUTPUTS)));
    float[] found;
    NetworkGraph graph;
    try (TensorSource source = Safetensors.open(file)) {
      LinearLayers layers = LinearLayers.of(source, new Arithmetic(ElementType.F32, arithmetic));
      GraphBuilder g = new GraphBuilder("layer", ElementType.F32, layers);
      String input = g.input("x", ElementType.F32, "tokens", inputs);
      String y = g.linear(role, "layer", input, inputs, OUTPUTS);
      g.output("y", y, ElementType.F32, "tokens", OUTPUTS);
      graph = g.build();
      found = run(graph, source, Tensor.ofFloats(x, TOKENS, inputs), prepacking);
    }
    double error = 0;
    double size = 0;
    for (int token = 0; token < TOKENS; token++) {
      for (int row = 0; row < OUTPUTS; row++) {
        double sum = 0;
        for (int i = 0; i < inputs; i++) {
          sum += (double) x[token * inputs + i] * weight[row * inputs + i];
        }
        double difference = found[token * OUTPUTS + row] - (sum + bias[row]);
        error += difference * difference;
        size += sum * sum;
      }
    }
    assertThat(Math.sqrt(error / size)).as("seed %d", seed).isLessThan(allowed);
    if (role != LayerRole.EDGE) {
      assertThat(graph.weightBytes()).isLessThan((long) OUTPUTS * inputs * 2);
    }
  }

  private float[] run(NetworkGraph graph, TensorSource source, Tensor x, boolean prepacking)
      throws IOException {
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), prepacking);
    try (Weights weights = Weights.of(graph, source);
        NetworkSession session =
            NetworkSession.open(
                graph,
                weights.inSessionType(
                    Component.TRANSFORMER,
                    new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
                    ProgressListener.NONE,
                    new CancellationToken()),
                Map.of(),
                settings)) {
      return session.run(Map.of("x", x), new CancellationToken());
    }
  }

  private static float[] gaussian(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
