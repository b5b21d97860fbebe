package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.flux.LatentGrid;
import io.github.urae.flux.RotaryTables;
import io.github.urae.flux.TorchGenerator;
import io.github.urae.graph.NetworkGraph;
import io.github.urae.graph.TransformerConfig;
import io.github.urae.graph.TransformerGraph;
import io.github.urae.safetensors.SafetensorsFile;
import io.github.urae.safetensors.SafetensorsWriter;
import io.github.urae.session.Device;
import io.github.urae.session.NetworkSession;
import io.github.urae.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Times a step of a slice of FLUX.1-dev's transformer at its true width (1 double and 2 single
 * blocks of 19 and 38) on the CPU, with and without prepacked weights, and their memory.
 *
 * <p>Arguments: width and height in pixels (512 512).
 */
public final class TrueWidthStep {

  private static final int TEXT_TOKENS = 512;
  private static final TransformerConfig SLICE =
      new TransformerConfig(1, 2, 24, 128, List.of(16, 56, 56), 4096, 768, true);

  private TrueWidthStep() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments width and height in pixels
   * @throws IOException if the temporary checkpoint cannot be written
   */
  public static void main(String[] arguments) throws IOException {
    int width = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 512;
    int height = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 512;
    NetworkGraph graph = TransformerGraph.build(SLICE, ElementType.F32);
    Path file = Files.createTempFile("urae-slice", ".safetensors");
    try {
      write(graph, file);
      Map<String, Tensor> inputs = inputs(new LatentGrid(width, height));
      try (SafetensorsFile weights = SafetensorsFile.open(file)) {
        for (int round = 0; round < 2; round++) {
          for (boolean prepacking : new boolean[] {false, true}) {
            measure(graph, weights, inputs, prepacking);
          }
        }
      }
    } finally {
      Files.delete(file);
    }
  }

  private static void measure(
      NetworkGraph graph, SafetensorsFile weights, Map<String, Tensor> inputs, boolean prepacking)
      throws IOException {
    double before = AnonymousMemory.megabytes();
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.empty(), prepacking);
    long start = System.nanoTime();
    try (NetworkSession session = NetworkSession.open(graph, weights, Map.of(), settings)) {
      double open = (System.nanoTime() - start) / 1e9;
      double loaded = AnonymousMemory.megabytes() - before;
      double best = Double.POSITIVE_INFINITY;
      for (int i = 0; i < 3; i++) {
        start = System.nanoTime();
        session.run(inputs, new CancellationToken());
        best = Math.min(best, (System.nanoTime() - start) / 1e9);
      }
      System.out.printf(
          "prepacking %-5s  open %.2f s, %.0f MB anonymous  step %.2f s, %.0f MB anonymous%n",
          prepacking, open, loaded, best, AnonymousMemory.megabytes() - before);
    }
  }

  static void write(NetworkGraph graph, Path file) throws IOException {
    List<SafetensorsWriter.Declaration> tensors =
        graph.weights().entrySet().stream()
            .map(w -> new SafetensorsWriter.Declaration(w.getKey(), graph.type(), w.getValue()))
            .toList();
    float[] noise = new TorchGenerator(1).randn(1 << 20);
    ByteBuffer piece = ByteBuffer.allocateDirect(noise.length * Float.BYTES);
    Tensor values = Tensor.ofFloats(noise, noise.length);
    for (int i = 0; i < noise.length; i++) {
      noise[i] *= 0.02f;
    }
    piece.put(Tensor.ofFloats(noise, values.shape().elementCount()).data());
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, Map.of(), tensors)) {
      for (SafetensorsWriter.Declaration tensor : tensors) {
        for (long left = tensor.byteSize(); left > 0; left -= piece.capacity()) {
          piece.clear().limit((int) Math.min(left, piece.capacity()));
          writer.write(tensor.name(), piece);
        }
      }
      writer.finish();
    }
  }

  private static Map<String, Tensor> inputs(LatentGrid grid) {
    int tokens = (int) grid.tokens();
    long all = TEXT_TOKENS + grid.tokens();
    TorchGenerator random = new TorchGenerator(2);
    RotaryTables tables = RotaryTables.of(new int[] {16, 56, 56}, TEXT_TOKENS, grid, 1, 1);
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("hidden_states", Tensor.ofFloats(random.randn(tokens * 64), 1, tokens, 64));
    inputs.put(
        "encoder_hidden_states",
        Tensor.ofFloats(random.randn(TEXT_TOKENS * 4096), 1, TEXT_TOKENS, 4096));
    inputs.put("pooled_projections", Tensor.ofFloats(random.randn(768), 1, 768));
    inputs.put("timestep", Tensor.ofFloats(new float[] {1}, 1));
    inputs.put("guidance", Tensor.ofFloats(new float[] {3.5f}, 1));
    for (String side : List.of("query", "key")) {
      inputs.put(side + "_cos", Tensor.ofFloats(tables.cos(), all, 64));
      inputs.put(side + "_sin", Tensor.ofFloats(tables.sin(), all, 64));
    }
    return inputs;
  }
}
