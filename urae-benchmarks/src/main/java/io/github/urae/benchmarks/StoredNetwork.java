package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearLayers;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/** One network of a stored model, as the library runs it. The caller closes it. */
final class StoredNetwork implements Closeable {

  private final OwnedResources opened = new OwnedResources();
  private final Weights weights;
  private NetworkSession session;

  private StoredNetwork(Weights weights) {
    this.weights = opened.add(weights);
  }

  /**
   * Opens a network, whose weights are converted first if need be.
   *
   * @param model folder in diffusers' layout; only this network has to be there
   * @param arithmetic what the network computes in; layers beside which changes are computed get
   *     random ones
   * @param cache gets converted weights
   * @param listener hears of the conversion
   */
  static StoredNetwork open(
      Path model,
      Component component,
      Arithmetic arithmetic,
      SessionSettings settings,
      WeightCache cache,
      ProgressListener listener)
      throws IOException {
    Path folder = model.resolve(component.folder());
    TensorSource stored = NetworkWeights.open(folder, Flux1.FAMILY, component);
    StoredNetwork network =
        new StoredNetwork(
            Weights.of(
                graph(folder, component, arithmetic, stored),
                stored,
                arithmetic.adapted().keySet()));
    try {
      TensorSource source =
          network.weights.inSessionType(component, cache, listener, new CancellationToken());
      network.session =
          network.opened.add(
              NetworkSession.open(
                  network.weights.graph(),
                  source,
                  random(network.weights.graph(), arithmetic.adapted().keySet()),
                  settings));
      return network;
    } catch (Throwable e) {
      network.opened.closeAfter(e);
      throw e;
    }
  }

  /** Small numbers for what adapters add to weights. */
  private static Map<String, Tensor> random(NetworkGraph graph, Set<String> changed) {
    Random numbers = new Random(1);
    Map<String, Tensor> tensors = new HashMap<>();
    graph
        .changedWith(changed)
        .forEach(
            (name, weight) -> {
              float[] values = new float[Math.toIntExact(weight.shape().elementCount())];
              for (int i = 0; i < values.length; i++) {
                values[i] = (float) (0.01 * numbers.nextGaussian());
              }
              tensors.put(name, Tensor.ofFloats(values, weight.shape().toArray()));
            });
    return tensors;
  }

  private static NetworkGraph graph(
      Path folder, Component component, Arithmetic arithmetic, TensorSource stored)
      throws IOException {
    JsonConfig config = JsonConfig.read(folder.resolve("config.json"));
    LinearLayers layers = LinearLayers.of(stored, arithmetic);
    return switch (component) {
      case TRANSFORMER ->
          TransformerGraph.build(
              TransformerConfig.from(config, Flux1.FAMILY), arithmetic.type(), layers);
      case TEXT_ENCODER_2 -> T5EncoderGraph.build(T5Config.from(config), arithmetic.type(), layers);
      case VAE_DECODER -> VaeDecoderGraph.build(VaeConfig.from(config, Flux1.FAMILY));
      default -> throw new IllegalArgumentException("there is no measurement of " + component);
    };
  }

  /** Returns the bytes of weights that it computes with. */
  long weightBytes() {
    return weights.graph().weightBytes();
  }

  float[] run(Map<String, Tensor> inputs) {
    return session.run(inputs, new CancellationToken());
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
