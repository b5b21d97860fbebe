package io.github.urae.benchmarks;

import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.onnx.internal.graph.Adaptation;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.session.OnnxEngine;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/** Our side of the comparison with peers: the process that {@link Peer} starts. */
final class StepServer {

  private StepServer() {}

  /**
   * Arguments: folder that holds transformer/ and gets derived weights, side in pixels, device,
   * precision, whether weights are copied into ONNX Runtime's own layout, and the rank of an
   * adapter of all layers of the blocks, 0 for none.
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    int side = Integer.parseInt(arguments[1]);
    Device device = Device.parse(arguments[2]);
    Precision precision = Precision.parse(arguments[3]);
    boolean copied = Boolean.parseBoolean(arguments[4]);
    int rank = Integer.parseInt(arguments[5]);
    Arithmetic arithmetic =
        OnnxEngine.arithmetic(device, precision).adapting(adapter(folder, rank));
    Map<String, Tensor> inputs = StepInputs.of(new LatentGrid(Flux1.LATENTS, side, side));
    try (StoredNetwork network =
        StoredNetwork.open(
            folder,
            Component.TRANSFORMER,
            arithmetic,
            new SessionSettings(device, OptionalInt.empty(), copied),
            new WeightCache(folder.resolve("cache"), WeightCache.DEFAULT_MAX_BYTES),
            ProgressListener.NONE)) {
      String linear = arithmetic.linear().toString().toLowerCase(Locale.ROOT).replace('_', ' ');
      System.out.printf(
          Peer.ANSWER + "URAE %s, linear layers %s%s%s, on %s%n",
          arithmetic.type(),
          linear,
          copied ? ", weights copied" : "",
          rank > 0 ? ", adapter of rank " + rank : "",
          device);
      serve(network, inputs);
    }
  }

  private static Map<String, Adaptation> adapter(Path folder, int rank) throws IOException {
    Map<String, Adaptation> layers = new HashMap<>();
    if (rank > 0) {
      try (TensorSource stored =
          NetworkWeights.open(
              folder.resolve(Component.TRANSFORMER.folder()),
              Flux1.FAMILY,
              Component.TRANSFORMER)) {
        for (TensorInfo weight : stored.tensors().values()) {
          if (weight.shape().rank() == 2 && weight.name().contains("transformer_blocks.")) {
            layers.put(weight.name(), new Adaptation.Beside(rank));
          }
        }
      }
    }
    return layers;
  }

  private static void serve(StoredNetwork network, Map<String, Tensor> inputs) throws IOException {
    BufferedReader questions =
        new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()));
    float[] velocity = new float[0];
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      if (line.equals("run")) {
        long start = System.nanoTime();
        velocity = network.run(inputs);
        System.out.println(Peer.ANSWER + (System.nanoTime() - start) / 1e9);
      } else if (line.startsWith("save ")) {
        Tensor tensor = Tensor.ofFloats(velocity, 1, velocity.length / 64, 64);
        Path file = Path.of(line.substring("save ".length()));
        SafetensorsWriter.write(file, Map.of(), Map.of("velocity", tensor));
        System.out.println(Peer.ANSWER + "saved");
      } else {
        throw new IOException("unknown command " + line);
      }
    }
  }
}
