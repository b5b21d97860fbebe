package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.CacheFolder;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/**
 * One step of FLUX.1-dev's whole transformer, 19 double and 38 single blocks with random weights,
 * in float32 on the processor, block by block. Writes the weights first, 48 GB, into the system's
 * temporary folder, and refuses where there is no room.
 */
public final class WholeStep {

  private static final String USAGE = "usage: ./benchmark whole [SIZE] [--double N] [--single N]\n";

  private WholeStep() {}

  /**
   * Runs the step.
   *
   * @param arguments pixels a side (512), and options
   * @throws IOException if the weights cannot be written
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    List<Integer> sizes = parsed.numbers(List.of(512));
    int doubleBlocks = parsed.number("double", 19);
    int singleBlocks = parsed.number("single", 38);
    parsed.finish();
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      Path path = folder.path();
      TransformerConfig config =
          SyntheticCheckpoint.writeTransformer(path, ElementType.F32, doubleBlocks, singleBlocks);
      NetworkGraph graph = TransformerGraph.build(config, ElementType.F32);
      SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.empty(), false);
      System.out.println(Machine.describe());
      try (TensorSource weights = Safetensors.open(path.resolve("transformer"))) {
        NetworkRuns clock = new NetworkRuns(CacheFolder.byDefault());
        BlockwiseNetwork network = new BlockwiseNetwork(graph, weights, Map.of(), settings, clock);
        try {
          for (int size : sizes) {
            step(network, clock, size);
          }
        } finally {
          network.close();
        }
      }
    }
  }

  private static void step(BlockwiseNetwork network, NetworkRuns clock, int size) {
    Map<String, Tensor> inputs = StepInputs.of(new LatentGrid(Flux1.LATENTS, size, size));
    double before = clock.nanos() / 1e9;
    long start = System.nanoTime();
    double peak;
    try (PeakMemory memory = PeakMemory.watching()) {
      network.run(inputs, new CancellationToken());
      peak = memory.megabytes();
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    System.out.printf(
        Locale.ROOT,
        "%dx%d: %.0f s a step, %.0f s of it in ONNX Runtime; peak %.0f MB of anonymous memory%n",
        size,
        size,
        seconds,
        clock.nanos() / 1e9 - before,
        peak);
  }
}
