package io.github.urae.benchmarks;

import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * The slice of {@link Peers} on the processor in every precision, and through diffusers on PyTorch
 * in float32 and bfloat16, in turns: speed against our float32 and against PyTorch's bfloat16, and
 * what each differs from our float32 by.
 */
public final class QuantisedStep {

  private static final String USAGE =
      """
      usage: ./benchmark quantised [SIZE ...] [--python FILE|none] [--rounds N]
                         [--precisions NAME,...] [--double N] [--single N]
      A precision followed by + lets ONNX Runtime copy weights into its own layout; by @N it
      computes an adapter of rank N beside every layer of the blocks that is rounded.
      """;

  private static final String ALL = "float32,int8+,int8,q8+,q4+";

  private QuantisedStep() {}

  /**
   * Runs the comparison.
   *
   * @param arguments sizes in pixels a side (512 1024), and options
   * @throws IOException if a file cannot be written, or a process fails
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    List<Integer> sizes = parsed.numbers(List.of(512, 1024));
    String python = parsed.option("python", "python3");
    int rounds = parsed.number("rounds", 5);
    List<String> precisions = Arrays.asList(parsed.option("precisions", ALL).split(","));
    int doubleBlocks = parsed.number("double", 1);
    int singleBlocks = parsed.number("single", 2);
    parsed.finish();
    try (TemporaryFolder temporary = TemporaryFolder.create()) {
      Path folder = temporary.path();
      SyntheticCheckpoint.writeTransformer(folder, ElementType.F32, doubleBlocks, singleBlocks);
      Peers.copyScript(folder);
      System.out.println(Machine.describe());
      for (int size : sizes) {
        Path inputs = folder.resolve("inputs-" + size + ".safetensors");
        LatentGrid grid = new LatentGrid(Flux1.LATENTS, size, size);
        SafetensorsWriter.write(inputs, Map.of(), StepInputs.withoutTables(grid));
        List<List<String>> commands = new ArrayList<>();
        for (String precision : precisions) {
          String[] parts = precision.split("@", 2);
          int rank = parts.length == 1 ? 0 : Integer.parseInt(parts[1]);
          boolean copied = parts[0].endsWith("+");
          Precision name = Precision.parse(parts[0].replace("+", ""));
          commands.add(Peers.ourCommand(folder, size, Device.cpu(), name, copied, rank));
        }
        if (!python.equals("none")) {
          for (String type : List.of("f32", "bf16")) {
            commands.add(Peers.theirCommand(python, folder, inputs, size, type, Device.cpu()));
          }
        }
        compare(size, commands, rounds, folder);
      }
    }
  }

  private static void compare(int size, List<List<String>> commands, int rounds, Path folder)
      throws IOException {
    try (OwnedResources opened = new OwnedResources()) {
      List<Peer> peers = new ArrayList<>();
      for (List<String> command : commands) {
        Peer peer = opened.add(new Peer(command));
        peer.warmUp();
        peers.add(peer);
      }
      for (int round = 0; round < rounds; round++) {
        for (Peer peer : peers) {
          peer.run();
        }
      }
      print(size, peers, Peers.velocities(peers, folder));
    }
  }

  private static void print(int size, List<Peer> peers, List<float[]> velocities) {
    System.out.printf("%n%dx%d%n", size, size);
    double float32 = Medians.median(peers.get(0).seconds());
    OptionalDouble bfloat16 =
        peers.stream()
            .filter(peer -> peer.description().contains(" bf16"))
            .mapToDouble(peer -> Medians.median(peer.seconds()))
            .findFirst();
    for (int i = 0; i < peers.size(); i++) {
      Peer peer = peers.get(i);
      double seconds = Medians.median(peer.seconds());
      System.out.printf(
          Locale.ROOT,
          "  %s: %s; speed %.2f of the first's%s; peak %.0f MB anonymous; velocity differs by"
              + " %.2f %% of its largest value at most, %.2f %% on average%n",
          peer.description(),
          Medians.describe(peer.seconds()),
          float32 / seconds,
          bfloat16.isPresent()
              ? String.format(
                  Locale.ROOT, ", %.2f of PyTorch's bfloat16", bfloat16.getAsDouble() / seconds)
              : "",
          peer.peakMegabytes(),
          100 * Peers.difference(velocities.get(i), velocities.get(0)),
          100 * rootMeanSquare(velocities.get(i), velocities.get(0)));
    }
  }

  /** The root of the mean square of what differs, relative to the largest value. */
  private static double rootMeanSquare(float[] found, float[] expected) {
    double largest = 0;
    double squares = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      double difference = found[i] - expected[i];
      squares += difference * difference;
    }
    return Math.sqrt(squares / found.length) / largest;
  }
}
