package io.github.urae.benchmarks;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.arithmetic.TorchGenerator;
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
import io.github.urae.onnx.internal.source.ExportContracts;
import io.github.urae.onnx.internal.source.ExportedNetwork;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * Times one step of the small checkpoint's transformer on the CPU, and measures its memory: from
 * the checkpoint, from Optimum's export as this library rewrites it, and from the same file in ONNX
 * Runtime alone, as it was exported. Each in a process of its own.
 *
 * <p>Arguments: the directory of exports, then sizes in pixels (512 1024 2048 4096).
 */
public final class ExportedStep {

  private static final List<String> WAYS = List.of("checkpoint", "rewritten", "exported");
  private static final int TEXT_TOKENS = 64;

  /** Beyond this, an export that holds its scores needs more than most machines have. */
  private static final int LARGEST_AS_EXPORTED = 2048;

  /** Runs that take longer are not run again. */
  private static final double LONG_SECONDS = 10;

  private ExportedStep() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments as above
   * @throws Exception if a file cannot be read or a process not be started
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length > 0 && WAYS.contains(arguments[0])) {
      measure(arguments[0], Path.of(arguments[1]), Integer.parseInt(arguments[2]));
      return;
    }
    if (arguments.length == 0) {
      System.err.println("usage: ./benchmark exported DIR [SIZE...]");
      System.exit(2);
    }
    List<String> sizes = new ArrayList<>(List.of(arguments).subList(1, arguments.length));
    if (sizes.isEmpty()) {
      sizes.addAll(List.of("512", "1024", "2048", "4096"));
    }
    for (String size : sizes) {
      for (String way : WAYS) {
        if (way.equals("exported") && Integer.parseInt(size) > LARGEST_AS_EXPORTED) {
          long tokens = TEXT_TOKENS + new LatentGrid(Flux1.LATENTS, 4096, 4096).tokens();
          System.out.printf(
              "%5s %-10s  not run: its scores alone would take %.0f GB%n",
              size, way, 16.0 * tokens * tokens / 1e9);
          continue;
        }
        child(way, arguments[0], size);
      }
    }
  }

  private static void child(String way, String export, String size) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                ExportedStep.class.getName(),
                way,
                export,
                size)
            .inheritIO()
            .start();
    if (!process.waitFor(30, TimeUnit.MINUTES) || process.exitValue() != 0) {
      process.destroyForcibly();
      System.out.printf("%5s %-10s  did not survive%n", size, way);
    }
  }

  private static void measure(String way, Path export, int size) throws Exception {
    try (PeakMemory memory = PeakMemory.watching()) {
      LatentGrid grid = new LatentGrid(Flux1.LATENTS, size, size);
      double seconds = way.equals("exported") ? asExported(export, grid) : here(way, export, grid);
      System.out.printf(
          "%5d %-10s  step %7.2f s  peak %6.0f MB anonymous%n",
          size, way, seconds, memory.megabytes());
    }
  }

  /** A run, made of inputs that are made once. */
  @FunctionalInterface
  private interface Run {
    void run() throws OrtException;
  }

  /** Returns the better of two, or the only one where it takes long. */
  private static double time(Run run) throws OrtException {
    long start = System.nanoTime();
    run.run();
    double first = (System.nanoTime() - start) / 1e9;
    if (first > LONG_SECONDS) {
      return first;
    }
    start = System.nanoTime();
    run.run();
    return Math.min(first, (System.nanoTime() - start) / 1e9);
  }

  private static double here(String way, Path export, LatentGrid grid) throws Exception {
    Path cache = Files.createTempDirectory("urae-benchmark");
    Path checkpoint = DemoModel.unpackInto(cache).checkpoint();
    TransformerConfig config =
        TransformerConfig.from(
            JsonConfig.read(checkpoint.resolve("transformer").resolve("config.json")),
            Flux1.FAMILY);
    NetworkGraph graph = TransformerGraph.build(config, ElementType.F32);
    try (Weights weights = open(way, export, checkpoint, graph)) {
      TensorSource stored =
          weights.inSessionType(
              Component.TRANSFORMER,
              new WeightCache(cache, WeightCache.DEFAULT_MAX_BYTES),
              ProgressListener.NONE,
              new CancellationToken());
      SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.empty(), false);
      try (NetworkSession session =
          NetworkSession.open(weights.graph(), stored, Map.of(), settings)) {
        Map<String, Tensor> inputs = inputs(config, grid);
        return time(() -> session.run(inputs, new CancellationToken()));
      }
    }
  }

  private static Weights open(String way, Path export, Path checkpoint, NetworkGraph graph)
      throws IOException {
    if (way.equals("checkpoint")) {
      return Weights.of(
          graph,
          NetworkWeights.open(
              checkpoint.resolve("transformer"), Flux1.FAMILY, Component.TRANSFORMER));
    }
    ExportedNetwork network =
        ExportedNetwork.open(
            export.resolve("transformer").resolve("model.onnx"),
            graph,
            ExportContracts.of(Component.TRANSFORMER, true));
    if (!network.report().rewritten()) {
      throw new IllegalStateException(network.report().toString());
    }
    return Weights.of(network.graph(), network.weights());
  }

  private static Map<String, Tensor> inputs(TransformerConfig config, LatentGrid grid) {
    TorchGenerator random = new TorchGenerator(2);
    int tokens = (int) grid.tokens();
    int[] axes = config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray();
    RotaryTables tables = RotaryTables.of(axes, TokenPositions.of(TEXT_TOKENS, grid), 1, 1);
    Map<String, Tensor> inputs = new HashMap<>();
    inputs.put("hidden_states", Tensor.ofFloats(random.randn(tokens * 64), 1, tokens, 64));
    inputs.put(
        "encoder_hidden_states",
        Tensor.ofFloats(
            random.randn(TEXT_TOKENS * config.textDim()), 1, TEXT_TOKENS, config.textDim()));
    inputs.put(
        "pooled_projections",
        Tensor.ofFloats(random.randn(config.pooledDim()), 1, config.pooledDim()));
    inputs.put("timestep", Tensor.ofFloats(new float[] {1}, 1));
    inputs.put("guidance", Tensor.ofFloats(new float[] {3.5f}, 1));
    for (String side : List.of("query", "key")) {
      long all = TEXT_TOKENS + grid.tokens();
      inputs.put(side + "_cos", Tensor.ofFloats(tables.cos(), all, config.headDim() / 2));
      inputs.put(side + "_sin", Tensor.ofFloats(tables.sin(), all, config.headDim() / 2));
    }
    return inputs;
  }

  private static double asExported(Path export, LatentGrid grid) throws Exception {
    TransformerConfig config =
        TransformerConfig.from(
            JsonConfig.read(export.resolve("transformer").resolve("config.json")), Flux1.FAMILY);
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    Map<String, OnnxTensor> bound = new HashMap<>();
    for (Map.Entry<String, Tensor> input : inputs(config, grid).entrySet()) {
      if (!input.getKey().endsWith("_cos") && !input.getKey().endsWith("_sin")) {
        Tensor tensor = input.getValue();
        FloatBuffer values = FloatBuffer.wrap(tensor.toFloats());
        bound.put(
            input.getKey(), OnnxTensor.createTensor(environment, values, tensor.shape().toArray()));
      }
    }
    long[] image = new long[(int) grid.tokens() * 3];
    for (int token = 0; token < grid.tokens(); token++) {
      image[3 * token + 1] = token / grid.columns();
      image[3 * token + 2] = token % grid.columns();
    }
    bound.put(
        "img_ids",
        OnnxTensor.createTensor(
            environment, LongBuffer.wrap(image), new long[] {grid.tokens(), 3}));
    bound.put(
        "txt_ids",
        OnnxTensor.createTensor(
            environment, LongBuffer.allocate(TEXT_TOKENS * 3), new long[] {TEXT_TOKENS, 3}));
    String model = export.resolve("transformer").resolve("model.onnx").toString();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        OrtSession session = environment.createSession(model, options)) {
      return time(() -> session.run(bound).close());
    } finally {
      bound.values().forEach(OnnxTensor::close);
    }
  }
}
