package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.internal.CacheFolder;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.LoadedNetwork;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Linear layers that are computed from other forms of their weights than the rest, in one network:
 * halves, and bytes with a scale for each row.
 */
class LinearLayersTest {

  private static final SessionSettings SETTINGS =
      new SessionSettings(Device.cpu(), OptionalInt.of(1), false);

  @TempDir Path folder;

  /** Feed-forward weights as halves, which are converted when a session starts. */
  private static final class Halves implements LinearLayer {

    @Override
    public boolean takes(TensorInfo weight, LayerRole role) {
      return weight.name().endsWith("ff.net.0.proj.weight");
    }

    @Override
    public String emit(
        GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
      String half = g.weight(weight, ElementType.F16, outputs, inputs);
      return g.node(
          "Gemm",
          List.of(x, g.cast(half, ElementType.F16, g.type()), g.weight(bias.get(), outputs)),
          attribute("transB", 1));
    }
  }

  /** Weights of the single blocks as bytes, [out, in], with a scale for each row. */
  private static final class EightBits implements LinearLayer {

    @Override
    public boolean takes(TensorInfo weight, LayerRole role) {
      return weight.name().endsWith(".proj_mlp.weight");
    }

    @Override
    public String emit(
        GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
      Shape shape = Shape.of(outputs, inputs);
      String bytes =
          g.derived(
              weight + ".int8", new GraphWeight(shape, ElementType.I8, new Rows(weight, shape)));
      String scales =
          g.derived(
              weight + ".scale",
              new GraphWeight(Shape.of(outputs), ElementType.F32, new Scales(weight, shape)));
      String values = g.node("DequantizeLinear", List.of(bytes, scales), attribute("axis", 0));
      return g.node(
          "Gemm", List.of(x, values, g.weight(bias.get(), outputs)), attribute("transB", 1));
    }
  }

  private record Rows(String parameter, Shape parameterShape) implements WeightForm {

    @Override
    public String description() {
      return "bytes by row";
    }

    @Override
    public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
      float[] row = new float[(int) parameterShape.dimension(1)];
      for (int i = 0; i < parameterShape.dimension(0); i++) {
        source.readRows(parameter, i, 1, row, 0);
        float scale = scale(row);
        ByteBuffer bytes = ByteBuffer.allocate(row.length);
        for (float value : row) {
          bytes.put((byte) Math.rint(value / scale));
        }
        sink.accept(bytes.flip());
      }
    }
  }

  private record Scales(String parameter, Shape parameterShape) implements WeightForm {

    @Override
    public String description() {
      return "scales by row";
    }

    @Override
    public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
      int rows = (int) parameterShape.dimension(0);
      float[] row = new float[(int) parameterShape.dimension(1)];
      ByteBuffer scales = ByteBuffer.allocate(rows * 4).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < rows; i++) {
        source.readRows(parameter, i, 1, row, 0);
        scales.putFloat(scale(row));
      }
      sink.accept(scales.flip());
    }
  }

  private static float scale(float[] row) {
    float most = 0;
    for (float value : row) {
      most = Math.max(most, Math.abs(value));
    }
    return most / 127;
  }

  /** What the mixed network computes with, as values of a plain one. */
  private static Tensor rounded(String name, Tensor weight) {
    float[] values = weight.toFloats();
    if (name.endsWith("ff.net.0.proj.weight")) {
      for (int i = 0; i < values.length; i++) {
        values[i] = Elements.fromHalf(Elements.toHalf(values[i]));
      }
    } else if (name.endsWith(".proj_mlp.weight")) {
      int columns = (int) weight.shape().dimension(1);
      for (int start = 0; start < values.length; start += columns) {
        float[] row = Arrays.copyOfRange(values, start, start + columns);
        float scale = scale(row);
        for (int i = 0; i < columns; i++) {
          values[start + i] = scale * (float) Math.rint(row[i] / scale);
        }
      }
    }
    return Tensor.ofFloats(values, weight.shape().toArray());
  }

  @Test
  void oneNetworkMixesFormsOfWeights() throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    Path stored = folder.resolve("transformer.safetensors");
    Map<String, Tensor> overrides = new HashMap<>();
    try (TensorSource demo = Safetensors.open(checkpoint.place(Component.TRANSFORMER))) {
      Map<String, Tensor> floats = new LinkedHashMap<>();
      for (String name : demo.tensors().keySet()) {
        Tensor weight = demo.tensor(name);
        floats.put(name, Tensor.ofFloats(weight.toFloats(), weight.shape().toArray()));
        overrides.put(name, rounded(name, weight));
      }
      SafetensorsWriter.write(stored, Map.of(), floats);
    }
    Map<String, Tensor> inputs = TransformerInputs.of(checkpoint.transformer());
    float[] plain;
    float[] expected;
    NetworkGraph graph = TransformerGraph.build(checkpoint.transformer(), ElementType.F32);
    try (Weights weights =
        Weights.of(graph, NetworkWeights.open(stored, Flux1.FAMILY, Component.TRANSFORMER))) {
      TensorSource source = inSession(weights);
      assertThat(source).isSameAs(weights.original());
      try (NetworkSession session = NetworkSession.open(graph, source, Map.of(), SETTINGS)) {
        plain = session.run(inputs, new CancellationToken());
      }
      try (NetworkSession session = NetworkSession.open(graph, source, overrides, SETTINGS)) {
        expected = session.run(inputs, new CancellationToken());
      }
    }
    assertThat(TestData.relativeDifference(plain, expected)).isBetween(1e-4, 0.05);

    try (TensorSource source = NetworkWeights.open(stored, Flux1.FAMILY, Component.TRANSFORMER)) {
      LinearLayers layers =
          LinearLayers.of(source, List.of(new Halves(), new EightBits(), new Gemm()));
      NetworkGraph mixed =
          TransformerGraph.build(checkpoint.transformer(), ElementType.F32, layers);
      assertThat(mixed.parameters()).isEqualTo(graph.parameters());
      assertThat(mixed.weightBytes()).isLessThan(graph.weightBytes());
      try (Weights weights = Weights.of(mixed, source)) {
        TensorSource ready = inSession(weights);
        // Only what differs is written; the rest stays where it is.
        for (Map.Entry<String, GraphWeight> weight : mixed.weights().entrySet()) {
          TensorInfo info = ready.tensors().get(weight.getKey());
          boolean differs =
              weight.getValue().type() != ElementType.F32
                  || weight.getKey().endsWith(".weight.scale");
          assertThat(info.file().equals(stored)).as(weight.getKey()).isEqualTo(!differs);
        }
        assertThat(ready.files()).hasSize(2);
        NetworkRuns runs = new NetworkRuns(CacheFolder.byDefault());
        try (NetworkSession session = NetworkSession.open(mixed, ready, Map.of(), SETTINGS)) {
          assertClose(expected, session, inputs);
        }
        try (LoadedNetwork blocks = new BlockwiseNetwork(mixed, ready, Map.of(), SETTINGS, runs)) {
          assertClose(expected, blocks, inputs);
        }
      }
    }
  }

  private static void assertClose(
      float[] expected, LoadedNetwork network, Map<String, Tensor> inputs) {
    float[] velocity = network.run(inputs, new CancellationToken());
    TestData.assertClose("velocity", expected, velocity, 1e-5);
  }

  private TensorSource inSession(Weights weights) throws IOException {
    return weights.inSessionType(
        Component.TRANSFORMER,
        new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
        ProgressListener.NONE,
        new CancellationToken());
  }
}
