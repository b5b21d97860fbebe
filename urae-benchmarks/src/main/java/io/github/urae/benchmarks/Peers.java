package io.github.urae.benchmarks;

import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The same slice of FLUX.1-dev's transformer (1 of 19 double and 2 of 38 single blocks, true width)
 * with the same weights and inputs through this library and through diffusers on PyTorch, in turns:
 * times as ratios, peak memory, and how far the results are apart.
 *
 * <p>Needs a Python with the packages of {@code urae-benchmarks/requirements.txt}.
 */
public final class Peers {

  private static final String USAGE =
      """
      usage: ./benchmark peers [SIZE ...] [--python FILE|none] [--rounds N] [--device cpu|cuda]
                         [--double N] [--single N]
      """;

  private static final String SCRIPT = "diffusers_step.py";

  private final Path folder;
  private final String python;
  private final Device device;
  private final int rounds;

  private Peers(Path folder, String python, Device device, int rounds) {
    this.folder = folder;
    this.python = python;
    this.device = device;
    this.rounds = rounds;
  }

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
    Device device = Device.parse(parsed.option("device", "cpu"));
    int doubleBlocks = parsed.number("double", 1);
    int singleBlocks = parsed.number("single", 2);
    parsed.finish();
    ElementType type = device instanceof Device.Cuda ? ElementType.BF16 : ElementType.F32;
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      SyntheticCheckpoint.writeTransformer(folder.path(), type, doubleBlocks, singleBlocks);
      copyScript(folder.path());
      System.out.println(Machine.describe());
      Peers peers = new Peers(folder.path(), python, device, rounds);
      for (int size : sizes) {
        peers.compare(size);
      }
    }
  }

  private void compare(int size) throws IOException {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, size, size);
    Path inputs = folder.resolve("inputs-" + size + ".safetensors");
    SafetensorsWriter.write(inputs, Map.of(), StepInputs.withoutTables(grid));
    try (OwnedResources opened = new OwnedResources()) {
      List<Peer> peers = new ArrayList<>();
      peers.add(opened.add(new Peer(ourCommand(folder, size, device, Precision.AUTO, false, 0))));
      for (String type : theirTypes()) {
        peers.add(opened.add(new Peer(theirCommand(python, folder, inputs, size, type, device))));
      }
      for (Peer peer : peers) {
        peer.warmUp();
      }
      for (int round = 0; round < rounds; round++) {
        for (Peer peer : peers) {
          peer.run();
        }
      }
      print(size, peers);
    }
  }

  private List<String> theirTypes() {
    if (python.equals("none")) {
      return List.of();
    }
    return device instanceof Device.Cuda ? List.of("bf16") : List.of("f32", "bf16");
  }

  /**
   * Returns the command of our side.
   *
   * @param folder holds transformer/, and gets derived weights
   * @param size pixels a side
   * @param copied whether ONNX Runtime copies weights into its own layout
   * @param rank of an adapter beside all layers of the blocks; 0 for none
   */
  static List<String> ourCommand(
      Path folder, int size, Device device, Precision precision, boolean copied, int rank) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx4g");
    String natives = System.getProperty("onnxruntime.native.path");
    if (natives != null) {
      command.add("-Donnxruntime.native.path=" + natives);
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(StepServer.class.getName());
    command.addAll(List.of(folder.toString(), Integer.toString(size), device.toString()));
    command.addAll(List.of(precision.toString(), Boolean.toString(copied), Integer.toString(rank)));
    return command;
  }

  /**
   * Returns the command of diffusers' side.
   *
   * @param python a Python with diffusers
   * @param folder holds transformer/
   * @param inputs what both sides compute from
   * @param size pixels a side
   * @param type f32, bf16 or f16
   */
  static List<String> theirCommand(
      String python, Path folder, Path inputs, int size, String type, Device device) {
    return List.of(
        python,
        folder.resolve(SCRIPT).toString(),
        folder.toString(),
        inputs.toString(),
        Integer.toString(size / 16),
        "--dtype",
        type,
        "--device",
        device.toString());
  }

  /** Puts diffusers' side beside the weights. */
  static void copyScript(Path folder) throws IOException {
    try (InputStream script = Peers.class.getResourceAsStream(SCRIPT)) {
      if (script == null) {
        throw new FileNotFoundException("resource " + SCRIPT);
      }
      Files.copy(script, folder.resolve(SCRIPT));
    }
  }

  /** Returns the velocities of the peers' last steps, written into a folder. */
  static List<float[]> velocities(List<Peer> peers, Path folder) throws IOException {
    List<float[]> velocities = new ArrayList<>();
    for (int i = 0; i < peers.size(); i++) {
      Path file = folder.resolve("velocity-" + i + ".safetensors");
      peers.get(i).save(file);
      try (SafetensorsFile saved = SafetensorsFile.open(file)) {
        velocities.add(saved.tensor("velocity").toFloats());
      }
    }
    return velocities;
  }

  private void print(int size, List<Peer> peers) throws IOException {
    System.out.printf("%n%dx%d, seconds a step%n", size, size);
    double ours = Medians.median(peers.get(0).seconds());
    List<float[]> velocities = velocities(peers, folder);
    for (int i = 0; i < peers.size(); i++) {
      Peer peer = peers.get(i);
      System.out.printf(
          Locale.ROOT,
          "  %s: %s, %.2f times ours; peak %.0f MB anonymous; velocity differs from ours by %.1e of"
              + " its largest value%n",
          peer.description(),
          Medians.describe(peer.seconds()),
          Medians.median(peer.seconds()) / ours,
          peer.peakMegabytes(),
          difference(velocities.get(i), velocities.get(0)));
    }
  }

  static double difference(float[] a, float[] b) {
    double largest = 0;
    double apart = 0;
    for (int i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs(b[i]));
      apart = Math.max(apart, Math.abs(a[i] - b[i]));
    }
    return apart / largest;
  }
}
