package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;

/** Our side of the comparison with peers: the process that {@link Peer} starts. */
final class StepServer {

  private StepServer() {}

  /** Arguments: folder that holds transformer/, side in pixels, device. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]).resolve("transformer");
    int side = Integer.parseInt(arguments[1]);
    Device device = Device.parse(arguments[2]);
    ElementType type = device instanceof Device.Cuda ? ElementType.BF16 : ElementType.F32;
    TransformerConfig config =
        TransformerConfig.from(JsonConfig.read(folder.resolve("config.json")), Flux1.FAMILY);
    NetworkGraph graph = TransformerGraph.build(config, type);
    Map<String, Tensor> inputs = StepInputs.of(new LatentGrid(Flux1.LATENTS, side, side));
    SessionSettings settings = new SessionSettings(device, OptionalInt.empty(), false);
    try (Weights weights =
            Weights.of(graph, NetworkWeights.open(folder, Flux1.FAMILY, Component.TRANSFORMER));
        NetworkSession session =
            NetworkSession.open(graph, weights.original(), Map.of(), settings)) {
      System.out.printf(Peer.ANSWER + "URAE %s on %s%n", type, device);
      serve(session, inputs);
    }
  }

  private static void serve(NetworkSession session, Map<String, Tensor> inputs) throws IOException {
    BufferedReader questions =
        new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()));
    float[] velocity = new float[0];
    for (String line = questions.readLine(); line != null; line = questions.readLine()) {
      if (line.equals("run")) {
        long start = System.nanoTime();
        velocity = session.run(inputs, new CancellationToken());
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
