package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.CacheFolder;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.OnnxEngine;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/**
 * One step of FLUX.1-dev's whole transformer, 19 double and 38 single blocks with random weights,
 * on the processor.
 *
 * <p>In float32 block by block, from 48 GB that are written into the system's temporary folder
 * first. In another precision with all blocks mapped, from a checkpoint that {@link
 * SyntheticCheckpoint} has written; where that has them, T5 over 512 tokens and the decoder follow.
 */
public final class WholeStep {

  private static final String USAGE =
      """
      usage: ./benchmark whole [SIZE ...] [--double N] [--single N]
             ./benchmark whole [SIZE ...] --model FOLDER [--precision NAME] [--rounds N]
                         [--cache FOLDER]
      """;

  private static final SessionSettings SETTINGS =
      new SessionSettings(Device.cpu(), OptionalInt.empty(), false);

  private WholeStep() {}

  /**
   * Runs the step.
   *
   * @param arguments pixels a side (512), and options
   * @throws IOException if the weights cannot be read or written
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    List<Integer> sizes = parsed.numbers(List.of(512));
    String model = parsed.option("model", "");
    if (!model.isEmpty()) {
      Precision precision = Precision.parse(parsed.option("precision", "int8"));
      int rounds = parsed.number("rounds", 3);
      Path folder = Path.of(model);
      Path cache = Path.of(parsed.option("cache", folder.resolve("cache").toString()));
      parsed.finish();
      System.out.println(Machine.describe());
      stored(folder, sizes, OnnxEngine.arithmetic(Device.cpu(), precision), rounds, cache);
      return;
    }
    int doubleBlocks = parsed.number("double", 19);
    int singleBlocks = parsed.number("single", 38);
    parsed.finish();
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      Path path = folder.path();
      TransformerConfig config =
          SyntheticCheckpoint.writeTransformer(path, ElementType.F32, doubleBlocks, singleBlocks);
      NetworkGraph graph = TransformerGraph.build(config, ElementType.F32);
      System.out.println(Machine.describe());
      try (TensorSource weights = Safetensors.open(path.resolve("transformer"))) {
        NetworkRuns clock = new NetworkRuns(CacheFolder.byDefault());
        BlockwiseNetwork network = new BlockwiseNetwork(graph, weights, Map.of(), SETTINGS, clock);
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

  private static void stored(
      Path model, List<Integer> sizes, Arithmetic arithmetic, int rounds, Path cacheFolder)
      throws IOException {
    WeightCache cache = new WeightCache(cacheFolder, WeightCache.DEFAULT_MAX_BYTES);
    try (StoredNetwork transformer = open(model, Component.TRANSFORMER, arithmetic, cache)) {
      for (int size : sizes) {
        String what = String.format(Locale.ROOT, "a step at %dx%d", size, size);
        time(what, transformer, StepInputs.of(new LatentGrid(Flux1.LATENTS, size, size)), rounds);
      }
    }
    Path t5 = model.resolve(Component.TEXT_ENCODER_2.folder());
    if (Files.exists(t5)) {
      try (StoredNetwork encoder = open(model, Component.TEXT_ENCODER_2, arithmetic, cache)) {
        T5Config config = T5Config.from(JsonConfig.read(t5.resolve("config.json")));
        int tokens = StepInputs.TEXT_TOKENS;
        time("T5 over 512 tokens", encoder, NetworkInputs.ofT5(config, tokens), rounds);
      }
    }
    if (Files.exists(model.resolve(Component.VAE_DECODER.folder()))) {
      try (StoredNetwork decoder = open(model, Component.VAE_DECODER, arithmetic, cache)) {
        for (int size : sizes) {
          String what = String.format(Locale.ROOT, "decoding %dx%d", size, size);
          time(what, decoder, NetworkInputs.ofDecoder(size / 8), rounds);
        }
      }
    }
  }

  private static StoredNetwork open(
      Path model, Component component, Arithmetic arithmetic, WeightCache cache)
      throws IOException {
    long start = System.nanoTime();
    try (PeakMemory memory = PeakMemory.watching()) {
      StoredNetwork network =
          StoredNetwork.open(model, component, arithmetic, SETTINGS, cache, ProgressListener.NONE);
      System.out.printf(
          Locale.ROOT,
          "%s, linear layers %s: %.2f GB of weights, ready in %.1f s; peak %.0f MB of anonymous"
              + " memory%n",
          component.id(),
          arithmetic.linear(),
          network.weightBytes() / 1e9,
          (System.nanoTime() - start) / 1e9,
          memory.megabytes());
      return network;
    }
  }

  /** The first run reads weights from the disk where they are not in memory yet. */
  private static void time(
      String what, StoredNetwork network, Map<String, Tensor> inputs, int rounds) {
    for (int round = 0; round <= rounds; round++) {
      long start = System.nanoTime();
      try (PeakMemory anonymous = PeakMemory.watching();
          PeakMemory mapped =
              PeakMemory.watching(
                  () -> AnonymousMemory.mappedMegabytes(ProcessHandle.current().pid()))) {
        network.run(inputs);
        System.out.printf(
            Locale.ROOT,
            "  %s, %s: %.1f s; peak %.0f MB of anonymous memory, %.0f MB of files' pages%n",
            what,
            round == 0 ? "first" : "warm",
            (System.nanoTime() - start) / 1e9,
            anonymous.megabytes(),
            mapped.megabytes());
      }
    }
  }
}
