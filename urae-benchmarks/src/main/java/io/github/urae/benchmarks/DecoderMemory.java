package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Peak anonymous memory of decoding one whole picture on the CPU, with random weights, beside the
 * size of the decoder's widest tensor: the channels of its second level at full size.
 *
 * <p>Arguments: {@code small} or {@code flux} for the widths of the bundled checkpoint or of
 * FLUX.1, and pixels a side (small 1024). One size a process, for memory is not given back.
 */
public final class DecoderMemory {

  private static final VaeConfig SMALL =
      new VaeConfig(16, List.of(16, 32, 64, 64), 1, 8, 128, 0.7232, 0.0409);
  private static final VaeConfig FLUX_1 =
      new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.3611, 0.1159);

  private DecoderMemory() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments the autoencoder, then pixels a side
   * @throws IOException if the temporary checkpoint cannot be written
   */
  public static void main(String[] arguments) throws IOException {
    VaeConfig config = arguments.length > 0 && arguments[0].equals("flux") ? FLUX_1 : SMALL;
    int size = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 1024;
    NetworkGraph graph = VaeDecoderGraph.build(config);
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      Path file = folder.path().resolve("decoder.safetensors");
      new SyntheticWeights(1).write(file, graph);
      try (SafetensorsFile weights = SafetensorsFile.open(file);
          NetworkSession session =
              NetworkSession.open(
                  graph,
                  weights,
                  Map.of(),
                  new SessionSettings(Device.cpu(), OptionalInt.empty(), false))) {
        measure(session, config.channels().get(1), size);
      }
    }
  }

  private static void measure(NetworkSession session, int channels, int size) {
    int side = size / Flux1.LATENTS.pixelsPerLatent();
    float[] noise = new TorchGenerator(1).randn(Flux1.LATENTS.channels() * side * side);
    Tensor latents = Tensor.ofFloats(noise, 1, Flux1.LATENTS.channels(), side, side);
    double widest = (double) channels * size * size * Float.BYTES / (1 << 20);
    try (PeakMemory memory = PeakMemory.watching()) {
      long start = System.nanoTime();
      session.run(Map.of("latent_sample", latents), new CancellationToken());
      System.out.printf(
          "%dx%d: %.2f s, %.0f MB, %.2f times the widest tensor%n",
          size, size, (System.nanoTime() - start) / 1e9, memory.growth(), memory.growth() / widest);
    }
  }
}
