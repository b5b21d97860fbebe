package io.github.urae.benchmarks;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Training steps of the same slice of FLUX.1-dev's transformer (1 of 19 double and 2 of 38 single
 * blocks, true width, bfloat16 weights, float32 adapters of rank 16, recomputation by block)
 * through this library and through diffusers and PEFT on PyTorch, in turns: times, peak memory,
 * losses.
 *
 * <p>Needs a Python with the packages of {@code urae-benchmarks/requirements.txt}.
 */
public final class TrainingSteps {

  private static final String USAGE =
      """
      usage: ./benchmark training [SIZE ...] [--python FILE|none] [--rounds N] [--threads N]
                         [--double N] [--single N]
      """;

  private static final String SCRIPT = "training_step.py";
  private static final int RANK = 16;

  private TrainingSteps() {}

  /**
   * Runs the comparison.
   *
   * @param arguments sizes in pixels a side (512), and options
   * @throws IOException if a file cannot be written, or a process fails
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    List<Integer> sizes = parsed.numbers(List.of(512));
    String python = parsed.option("python", "python3");
    int rounds = parsed.number("rounds", 3);
    int threads = parsed.number("threads", 0);
    int doubleBlocks = parsed.number("double", 1);
    int singleBlocks = parsed.number("single", 2);
    parsed.finish();
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      SyntheticCheckpoint.writeTransformer(
          folder.path(), ElementType.BF16, doubleBlocks, singleBlocks);
      Path script = folder.path().resolve(SCRIPT);
      copyScript(script);
      Path start = folder.path().resolve("start.safetensors");
      SafetensorsWriter.write(start, Map.of(), start(doubleBlocks, singleBlocks));
      System.out.println(Machine.describe());
      for (int size : sizes) {
        LatentGrid grid = new LatentGrid(Flux1.LATENTS, size, size);
        Path inputs = folder.path().resolve("inputs-" + size + ".safetensors");
        Map<String, Tensor> values = new LinkedHashMap<>(StepInputs.withoutTables(grid));
        int tokens = (int) grid.tokens();
        values.put(
            "target", Tensor.ofFloats(new TorchGenerator(3).randn(tokens * 64), 1, tokens, 64));
        SafetensorsWriter.write(inputs, Map.of(), values);
        List<String> common =
            List.of(inputs.toString(), start.toString(), Integer.toString(grid.rows()));
        List<List<String>> commands = new ArrayList<>();
        commands.add(ourCommand(folder.path(), common, threads, doubleBlocks, singleBlocks));
        if (!python.equals("none")) {
          List<String> theirs =
              new ArrayList<>(List.of(python, script.toString(), folder.path().toString()));
          theirs.addAll(common);
          theirs.addAll(List.of("--threads", Integer.toString(threads)));
          commands.add(theirs);
        }
        compare(size, commands, rounds);
      }
    }
  }

  /** Returns FLUX.1-dev's sizes with fewer blocks. */
  static TransformerConfig config(int doubleBlocks, int singleBlocks) {
    return new TransformerConfig(
        64, 64, doubleBlocks, singleBlocks, 24, 128, List.of(16, 56, 56), 4096, 768, true);
  }

  /** A start from which all gradients flow: B is not zero. */
  private static Map<String, Tensor> start(int doubleBlocks, int singleBlocks) {
    TorchGenerator random = new TorchGenerator(4);
    List<String> layers = new ArrayList<>();
    for (int i = 0; i < doubleBlocks + singleBlocks; i++) {
      String block =
          i < doubleBlocks
              ? "transformer_blocks." + i
              : "single_transformer_blocks." + (i - doubleBlocks);
      for (String projection : List.of("to_q", "to_k", "to_v", "to_out.0")) {
        if (i < doubleBlocks || !projection.equals("to_out.0")) {
          layers.add("transformer." + block + ".attn." + projection);
        }
      }
    }
    Map<String, Tensor> start = new LinkedHashMap<>();
    int width = FluxDev.TRANSFORMER.width();
    for (String layer : layers) {
      start.put(
          layer + ".lora_A.weight",
          Tensor.ofFloats(scaled(random.randn(RANK * width), 1f / RANK), RANK, width));
      start.put(
          layer + ".lora_B.weight",
          Tensor.ofFloats(scaled(random.randn(width * RANK), 1e-3f), width, RANK));
    }
    return start;
  }

  private static float[] scaled(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  private static List<String> ourCommand(
      Path folder, List<String> common, int threads, int doubleBlocks, int singleBlocks) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx1g");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(TrainingServer.class.getName(), folder.toString()));
    command.addAll(common);
    command.add(Integer.toString(threads));
    command.add(Integer.toString(doubleBlocks));
    command.add(Integer.toString(singleBlocks));
    return command;
  }

  private static void copyScript(Path target) throws IOException {
    try (InputStream script = TrainingSteps.class.getResourceAsStream(SCRIPT)) {
      if (script == null) {
        throw new FileNotFoundException("resource " + SCRIPT);
      }
      Files.copy(script, target);
    }
  }

  private static void compare(int size, List<List<String>> commands, int rounds)
      throws IOException {
    try (OwnedResources opened = new OwnedResources()) {
      List<Peer> peers = new ArrayList<>();
      for (List<String> command : commands) {
        peers.add(opened.add(new Peer(command)));
      }
      List<String> losses = new ArrayList<>();
      for (Peer peer : peers) {
        peer.warmUp();
        losses.add(peer.ask("loss"));
      }
      Map<Peer, List<Double>> cpu = new LinkedHashMap<>();
      for (int round = 0; round < rounds; round++) {
        for (Peer peer : peers) {
          peer.run();
          cpu.computeIfAbsent(peer, p -> new ArrayList<>()).add(Double.valueOf(peer.ask("cpu")));
        }
      }
      System.out.printf("%n%dx%d, seconds a training step%n", size, size);
      double ours = Medians.median(peers.get(0).seconds());
      for (int i = 0; i < peers.size(); i++) {
        Peer peer = peers.get(i);
        System.out.printf(
            Locale.ROOT,
            "  %s: %s, %.2f times ours; of the processor %s, %.2f times ours; peak %.0f MB"
                + " anonymous; loss of the first step %s%n",
            peer.description(),
            Medians.describe(peer.seconds()),
            Medians.median(peer.seconds()) / ours,
            Medians.describe(cpu.get(peer)),
            Medians.median(cpu.get(peer)) / Medians.median(cpu.get(peers.get(0))),
            peer.peakMegabytes(),
            losses.get(i));
      }
    }
  }
}
