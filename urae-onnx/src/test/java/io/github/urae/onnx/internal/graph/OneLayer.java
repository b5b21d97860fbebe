package io.github.urae.onnx.internal.graph;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;

/**
 * A network of one linear layer, {@code layer.weight} and {@code layer.bias}, as stored.
 *
 * @param cache where what is made of the weight goes
 */
record OneLayer(Path cache) {

  private static final Arithmetic AS_STORED =
      new Arithmetic(ElementType.F32, LinearArithmetic.AS_STORED);

  static NetworkGraph graph(TensorSource source, long inputs, long outputs) {
    GraphBuilder g = new GraphBuilder("layer", ElementType.F32, LinearLayers.of(source, AS_STORED));
    String x = g.input("x", ElementType.F32, "tokens", inputs);
    String y = g.linear(LayerRole.BLOCK, "layer", x, inputs, outputs);
    g.output("y", y, ElementType.F32, "tokens", outputs);
    return g.build();
  }

  /** Returns the weights as the layer takes them. */
  TensorSource ready(Weights weights) throws IOException {
    return weights.inSessionType(
        Component.TRANSFORMER,
        new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES),
        ProgressListener.NONE,
        new CancellationToken());
  }

  static float[] run(NetworkGraph graph, TensorSource ready, Tensor x) throws IOException {
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    try (NetworkSession session = NetworkSession.open(graph, ready, Map.of(), settings)) {
      return session.run(Map.of("x", x), new CancellationToken());
    }
  }
}
