package io.github.urae.onnx.internal.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.internal.CacheFolder;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Linear layers in integers against the same arithmetic in Java, and in the whole transformer. */
class IntegerProductTest {

  private static final SessionSettings SETTINGS =
      new SessionSettings(Device.cpu(), OptionalInt.of(2), false);

  @TempDir Path folder;

  static Stream<Arguments> ways() {
    return Stream.of(ElementType.I8, ElementType.U8)
        .flatMap(
            type -> Stream.of(LayerRole.BLOCK, LayerRole.ENCODER).map(r -> Arguments.of(type, r)));
  }

  private static LinearArithmetic arithmetic(ElementType type) {
    return type == ElementType.I8 ? LinearArithmetic.INT8 : LinearArithmetic.INT8_UNSIGNED;
  }

  @ParameterizedTest
  @MethodSource("ways")
  void aLayerIsWhatItsRoundedValuesGive(ElementType type, LayerRole role) throws IOException {
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int trial = 0; trial < 6; trial++) {
      int rows = 1 + random.nextInt(trial < 3 ? 3 : 150);
      int inputs = 1 + random.nextInt(300);
      int outputs = 1 + random.nextInt(200);
      String what = String.format("seed %d: %d x %d -> %d", seed, rows, inputs, outputs);
      float[] x = normal(random, rows * inputs, 3);
      float[] weight = normal(random, outputs * inputs, 0.05f);
      float[] bias = normal(random, outputs, 1);
      // A token that is far larger than the others, one of zeros, and a dead channel.
      scale(x, 0, inputs, 1e4f);
      scale(x, (rows - 1) * inputs, inputs, rows > 1 ? 0 : 1);
      scale(weight, random.nextInt(outputs) * inputs, inputs, 0);

      float[] found = run(type, role, x, weight, bias, rows, inputs, outputs);

      boolean twoParts = role == LayerRole.ENCODER;
      assertThat(found).as(what).hasSize(rows * outputs);
      for (int row = 0; row < rows; row++) {
        // What is left after the first part may lie in the middle between two codes.
        double finest = most(x, row * inputs, inputs) / 127 / 254;
        double[] rounded = rounded(x, row * inputs, inputs, twoParts);
        for (int out = 0; out < outputs; out++) {
          float scale = most(weight, out * inputs, inputs) / 127;
          float factor = scale == 0 ? 0 : 1 / scale;
          double sum = 0;
          double magnitude = Math.abs(bias[out]) + 1e-6;
          for (int i = 0; i < inputs; i++) {
            double value = scale * Math.rint(weight[out * inputs + i] * factor);
            sum += rounded[i] * value;
            magnitude += Math.abs(rounded[i] * value);
          }
          assertThat(Math.abs(found[row * outputs + out] - sum - bias[out]))
              .as("%s, row %d, output %d", what, row, out)
              .isLessThan(1e-5 * magnitude + (twoParts ? finest * scale * 127 : 0));
        }
      }
    }
  }

  private static double[] rounded(float[] x, int start, int columns, boolean twoParts) {
    float scale = Math.max(most(x, start, columns), 1e-9f) * (1f / 127);
    double[] result = new double[columns];
    for (int i = 0; i < columns; i++) {
      result[i] = scale * Math.rint(x[start + i] / scale);
      if (twoParts) {
        double fine = scale * 0.5 / 127;
        result[i] += fine * Math.rint((x[start + i] - result[i]) / fine);
      }
    }
    return result;
  }

  private static float most(float[] values, int start, int count) {
    float most = 0;
    for (int i = start; i < start + count; i++) {
      most = Math.max(most, Math.abs(values[i]));
    }
    return most;
  }

  private static float[] normal(Random random, int count, float deviation) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = deviation * (float) random.nextGaussian();
    }
    return values;
  }

  private static void scale(float[] values, int start, int count, float factor) {
    for (int i = start; i < start + count; i++) {
      values[i] *= factor;
    }
  }

  private float[] run(
      ElementType type,
      LayerRole role,
      float[] x,
      float[] weight,
      float[] bias,
      int rows,
      int inputs,
      int outputs)
      throws IOException {
    Path file = folder.resolve("layer.safetensors");
    SafetensorsWriter.write(
        file,
        Map.of(),
        Map.of(
            "layer.weight", Tensor.ofFloats(weight, outputs, inputs),
            "layer.bias", Tensor.ofFloats(bias, outputs)));
    try (TensorSource source = Safetensors.open(file)) {
      GraphBuilder g =
          new GraphBuilder(
              "layer",
              ElementType.F32,
              LinearLayers.of(source, new Arithmetic(ElementType.F32, arithmetic(type))));
      String activations = g.input("x", ElementType.F32, "rows", inputs);
      g.output(
          "y",
          g.linear(role, "layer", activations, inputs, outputs),
          ElementType.F32,
          "rows",
          outputs);
      try (Weights weights = Weights.of(g.build(), source);
          NetworkSession session =
              NetworkSession.open(weights.graph(), inSession(weights), Map.of(), SETTINGS)) {
        return session.run(Map.of("x", Tensor.ofFloats(x, rows, inputs)), new CancellationToken());
      }
    }
  }

  /** What a normalisation makes of a token that is no number: none of its values is. */
  @Test
  void whatIsNoNumberStaysNone() throws IOException {
    float[] x = {1, 2, Float.NaN, Float.NaN};
    float[] weight = {1, 2, Float.NaN, 1, 1, 1};
    float[] found = run(ElementType.I8, LayerRole.BLOCK, x, weight, new float[3], 2, 2, 3);
    assertThat(found[0]).isCloseTo(5, offset(0.1f));
    assertThat(List.of(found[1], found[3], found[4], found[5])).containsOnly(Float.NaN);
  }

  @ParameterizedTest
  @EnumSource(names = {"INT8", "INT8_UNSIGNED"})
  void theTransformerInIntegers(LinearArithmetic arithmetic) throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    Map<String, Tensor> inputs = TransformerInputs.of(checkpoint.transformer());
    float[] expected = velocity(checkpoint, LinearArithmetic.PLAIN, inputs);
    float[] found = velocity(checkpoint, arithmetic, inputs);
    TestData.assertClose("velocity in integers", expected, found, 0.02);
    assertThat(TestData.relativeDifference(expected, found)).isGreaterThan(1e-4);
  }

  private float[] velocity(
      Checkpoint checkpoint, LinearArithmetic arithmetic, Map<String, Tensor> inputs)
      throws IOException {
    try (Weights weights = weights(checkpoint, arithmetic)) {
      TensorSource source = inSession(weights);
      float[] whole;
      try (NetworkSession session =
          NetworkSession.open(weights.graph(), source, Map.of(), SETTINGS)) {
        whole = session.run(inputs, new CancellationToken());
      }
      try (BlockwiseNetwork blocks =
          new BlockwiseNetwork(
              weights.graph(),
              source,
              Map.of(),
              SETTINGS,
              new NetworkRuns(CacheFolder.byDefault()))) {
        TestData.assertClose(
            "block by block", whole, blocks.run(inputs, new CancellationToken()), 1e-5);
      }
      return whole;
    }
  }

  private static Weights weights(Checkpoint checkpoint, LinearArithmetic arithmetic)
      throws IOException {
    TensorSource source =
        NetworkWeights.open(
            TestData.checkpoint().resolve("transformer"), Flux1.FAMILY, Component.TRANSFORMER);
    return Weights.of(
        TransformerGraph.build(
            checkpoint.transformer(),
            ElementType.F32,
            LinearLayers.of(source, new Arithmetic(ElementType.F32, arithmetic))),
        source);
  }

  /** Quantising takes a pass over the activations: once for queries, keys, values and the rest. */
  @Test
  void readersOfAnInputShareItsCodes() throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    try (Weights weights = weights(checkpoint, LinearArithmetic.INT8)) {
      Map<String, Integer> operators = new HashMap<>();
      weights
          .graph()
          .graph()
          .getNodeList()
          .forEach(node -> operators.merge(node.getOpType(), 1, Integer::sum));
      int doubles = checkpoint.transformer().doubleBlocks();
      int singles = checkpoint.transformer().singleBlocks();
      // Of each stream: attention's input, its output, the network's input and its inside.
      assertThat(operators)
          .containsEntry("QuantizeLinear", 8 * doubles + 2 * singles + 2)
          .containsEntry("MatMulIntegerToFloat", 14 * doubles + 6 * singles);
      assertThat(weights.graph().weights().keySet())
          .contains("x_embedder.weight", "proj_out.weight", "norm_out.linear.weight")
          .doesNotContain("transformer_blocks.0.norm1.linear.weight");
    }
  }

  private TensorSource inSession(Weights weights) throws IOException {
    return weights.inSessionType(
        Component.TRANSFORMER,
        new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
        ProgressListener.NONE,
        new CancellationToken());
  }
}
