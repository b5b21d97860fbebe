package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.TransformerInputs;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/**
 * Replaces every weight that an adapter may change, one at a time, at the optimisation level that
 * is used in production. A weight that ONNX Runtime has folded into something else would ignore
 * that.
 */
class WeightOverrideTest {

  private static final SessionSettings SETTINGS =
      new SessionSettings(Device.cpu(), OptionalInt.of(1), false);

  @Test
  void everyLinearWeightOfTheTransformerCanBeReplaced() throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    NetworkGraph graph = TransformerGraph.build(checkpoint.transformer(), ElementType.F32);
    assertEveryMatrixCounts(
        graph, checkpoint, "transformer", TransformerInputs.of(checkpoint.transformer()), 62);
  }

  @Test
  void everyLinearWeightOfClipCanBeReplaced() throws IOException {
    Checkpoint checkpoint = Checkpoint.open(TestData.checkpoint());
    NetworkGraph graph = ClipTextGraph.build(checkpoint.clip(), ElementType.F32);
    long[] ids = new long[77];
    ids[0] = 1579;
    ids[1] = 320;
    ids[2] = 1580;
    ByteBuffer data = ByteBuffer.allocateDirect(77 * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    data.asLongBuffer().put(ids);
    Tensor input = Tensor.view(ElementType.I64, Shape.of(1, 77), data, "ids");
    assertEveryMatrixCounts(graph, checkpoint, "text_encoder", Map.of("input_ids", input), 14);
  }

  private static Component component(String folder) {
    return Component.networks().stream()
        .filter(network -> network.folder().equals(folder))
        .findFirst()
        .orElseThrow();
  }

  private static void assertEveryMatrixCounts(
      NetworkGraph graph,
      Checkpoint checkpoint,
      String folder,
      Map<String, Tensor> inputs,
      int expectedMatrices)
      throws IOException {
    WeightCache cache = new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES);
    try (Weights weights =
        Weights.of(
            graph,
            NetworkWeights.open(
                checkpoint.place(component(folder)), Flux1.FAMILY, component(folder)))) {
      TensorSource source =
          weights.inSessionType(
              Component.TRANSFORMER, cache, ProgressListener.NONE, new CancellationToken());
      float[] base = run(graph, source, Map.of(), inputs);
      List<String> matrices = new ArrayList<>();
      List<String> ignored = new ArrayList<>();
      for (Map.Entry<String, Shape> weight : graph.parameters().entrySet()) {
        if (weight.getValue().rank() != 2) {
          continue;
        }
        matrices.add(weight.getKey());
        Tensor original = source.tensor(weight.getKey());
        float[] changed = original.toFloats();
        for (int i = 0; i < changed.length; i++) {
          changed[i] = 1.5f * changed[i] + 0.01f;
        }
        Tensor replacement = Tensor.ofFloats(changed, original.shape().toArray());
        float[] output = run(graph, source, Map.of(weight.getKey(), replacement), inputs);
        if (TestData.relativeDifference(base, output) < 1e-5) {
          ignored.add(weight.getKey());
        }
      }
      assertThat(matrices).hasSize(expectedMatrices);
      assertThat(ignored).as("weights whose replacement changes nothing").isEmpty();
      assertThat(run(graph, source, Map.of(), inputs)).isEqualTo(base);
    }
  }

  private static float[] run(
      NetworkGraph graph,
      TensorSource source,
      Map<String, Tensor> overrides,
      Map<String, Tensor> inputs)
      throws IOException {
    try (NetworkSession session = NetworkSession.open(graph, source, overrides, SETTINGS)) {
      return session.run(inputs, new CancellationToken());
    }
  }
}
