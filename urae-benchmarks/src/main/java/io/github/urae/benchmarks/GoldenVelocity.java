package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.OnnxEngine;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The test kit's checkpoint's first velocity on a device, in float32 and where the device has it in
 * bfloat16, against the reference implementation's recorded one.
 */
public final class GoldenVelocity {

  private static final String USAGE =
      "usage: ./benchmark golden FOLDER [--device cpu|cuda[:N]]\n"
          + "FOLDER: urae-testkit/src/main/resources, or what of it is needed: flux-tiny/,"
          + " golden/cases/standard-128.safetensors\n";

  private static final int SIZE = 128;

  /** The schedule of every case begins here. */
  private static final float SIGMA = 1;

  private static final float GUIDANCE = 3.5f;

  private GoldenVelocity() {}

  /**
   * Prints the largest differences.
   *
   * @param arguments the folder of the checkpoint and the recorded case, and options
   * @throws IOException if a file cannot be read
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    Path folder = Path.of(parsed.only());
    Device device = OnnxEngine.resolve(Device.parse(parsed.option("device", "cpu")));
    parsed.finish();
    boolean gpu = device instanceof Device.Cuda;
    try (TemporaryFolder cache = TemporaryFolder.create();
        SafetensorsFile golden =
            SafetensorsFile.open(folder.resolve("golden/cases/standard-128.safetensors"))) {
      for (ElementType type :
          gpu ? List.of(ElementType.F32, ElementType.BF16) : List.of(ElementType.F32)) {
        float[] velocity =
            velocity(folder.resolve("flux-tiny/transformer"), cache.path(), golden, type, device);
        System.out.printf(
            Locale.ROOT,
            "%s on %s: the first velocity differs by %.1e of its largest value%n",
            type,
            device,
            Peers.difference(velocity, golden.tensor("first_velocity").toFloats()));
      }
    }
  }

  private static float[] velocity(
      Path folder, Path cache, SafetensorsFile golden, ElementType type, Device device)
      throws IOException {
    TransformerConfig config =
        TransformerConfig.from(JsonConfig.read(folder.resolve("config.json")), Flux1.FAMILY);
    NetworkGraph graph = TransformerGraph.build(config, type);
    SessionSettings settings = new SessionSettings(device, OptionalInt.empty(), false);
    WeightCache converted = new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES);
    try (Weights weights =
            Weights.of(graph, NetworkWeights.open(folder, Flux1.FAMILY, Component.TRANSFORMER));
        NetworkSession session =
            NetworkSession.open(
                graph,
                weights.inSessionType(
                    Component.TRANSFORMER,
                    converted,
                    ProgressListener.NONE,
                    new CancellationToken()),
                Map.of(),
                settings)) {
      return session.run(inputs(golden, config), new CancellationToken());
    }
  }

  private static Map<String, Tensor> inputs(SafetensorsFile golden, TransformerConfig config)
      throws IOException {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, SIZE, SIZE);
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("hidden_states", golden.tensor("noise"));
    inputs.put("encoder_hidden_states", golden.tensor("sequence"));
    inputs.put("pooled_projections", golden.tensor("pooled"));
    inputs.put("timestep", Tensor.ofFloats(new float[] {SIGMA}, 1));
    inputs.put("guidance", Tensor.ofFloats(new float[] {GUIDANCE}, 1));
    int text = Math.toIntExact(golden.tensor("sequence").shape().dimension(1));
    int[] axes = config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray();
    RotaryTables tables = RotaryTables.of(axes, TokenPositions.of(text, grid), 1, 1);
    for (String side : List.of("query", "key")) {
      long rows = text + grid.tokens();
      inputs.put(side + "_cos", Tensor.ofFloats(tables.cos(), rows, config.headDim() / 2));
      inputs.put(side + "_sin", Tensor.ofFloats(tables.sin(), rows, config.headDim() / 2));
    }
    return inputs;
  }
}
