package io.github.urae.onnx.internal.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.graph.LinearLayers;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Weights of FLUX.1-dev's true shapes are used where they lie. Checkpoints are sparse files; memory
 * is the anonymous memory of a child process, as Linux counts it.
 */
class WeightMemoryTest {

  private static final long GIBIBYTE = 1L << 30;

  @TempDir Path folder;

  private static TransformerConfig config(int doubleBlocks, int singleBlocks) {
    return new TransformerConfig(
        64, 64, doubleBlocks, singleBlocks, 24, 128, List.of(16, 56, 56), 4096, 768, true);
  }

  private static NetworkGraph graph(int doubleBlocks, int singleBlocks) {
    return TransformerGraph.build(config(doubleBlocks, singleBlocks), ElementType.F32);
  }

  @Test
  void eightGigabytesOfFloat32AreNotCopied() throws Exception {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs Linux to count memory");
    Path file = writeSparse(graph(4, 5), ElementType.F32);
    assertThat(Files.size(file)).isGreaterThan(8_000_000_000L);
    Map<String, Double> grown = runChild("session", file, 4, 5);
    assertThat(grown.get("anonymous")).as("MB of anonymous memory").isLessThan(200);
    // One tensor of 226 MB was read; had it cost more pages than its own, this would tell.
    assertThat(grown.get("file")).as("MB of file pages for one tensor").isLessThan(300);
  }

  @Test
  void bfloat16IsConvertedInPieces() throws Exception {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs Linux to count memory");
    Path file = writeSparse(graph(1, 2), ElementType.BF16);
    assertThat(Files.size(file)).isGreaterThan(GIBIBYTE);
    Map<String, Double> grown = runChild("convert", file, 1, 2);
    assertThat(grown.get("anonymous")).as("MB of anonymous memory").isLessThan(300);
  }

  /** With the heap that Java takes by itself on a machine of 24 GB. */
  @ParameterizedTest
  @ValueSource(strings = {"INT8", "Q8"})
  void weightsAreRoundedInPieces(String arithmetic) throws Exception {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs Linux to count memory");
    Path file = writeSparse(graph(1, 2), ElementType.BF16);
    Map<String, Double> grown = runChild(arithmetic, file, 1, 2, "-Xms384m", "-Xmx6g");
    assertThat(grown.get("anonymous")).as("MB of anonymous memory").isLessThan(300);
  }

  /** With prepacking, so that weights are copied into anonymous memory at all. */
  @Test
  void blockByBlockHoldsTwoBlocks() throws Exception {
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "needs Linux to count memory");
    Path file = writeSparse(graph(1, 3), ElementType.F32);
    double whole = runChild("whole", file, 1, 3).get("anonymous");
    double blocks = runChild("blocks", file, 1, 3).get("anonymous");
    // Of one double and three single blocks, the two largest neighbours are 63 %.
    assertThat(blocks).as("MB of anonymous memory").isGreaterThan(300).isLessThan(0.8 * whole);
  }

  private Path writeSparse(NetworkGraph graph, ElementType type) throws IOException {
    Path file = folder.resolve("model.safetensors");
    List<SafetensorsWriter.Declaration> tensors =
        graph.parameters().entrySet().stream()
            .map(w -> new SafetensorsWriter.Declaration(w.getKey(), type, w.getValue()))
            .toList();
    ByteBuffer zeros = ByteBuffer.allocateDirect(16 << 20);
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, Map.of(), tensors)) {
      for (SafetensorsWriter.Declaration tensor : tensors) {
        for (long left = tensor.byteSize(); left > 0; left -= zeros.capacity()) {
          zeros.clear().limit((int) Math.min(left, zeros.capacity()));
          writer.write(tensor.name(), zeros);
        }
      }
      writer.finish();
    }
    return file;
  }

  private Map<String, Double> runChild(String task, Path file, int doubleBlocks, int singleBlocks)
      throws Exception {
    return runChild(task, file, doubleBlocks, singleBlocks, "-Xmx128m");
  }

  private static Map<String, Double> runChild(
      String task, Path file, int doubleBlocks, int singleBlocks, String... heap) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(heap));
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            Child.class.getName(),
            task,
            file.toString(),
            Integer.toString(doubleBlocks),
            Integer.toString(singleBlocks)));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as(output).isZero();
    System.out.println(task + ", grown by MB: " + output);
    String[] numbers = output.split(" ", -1);
    return Map.of("anonymous", Double.valueOf(numbers[0]), "file", Double.valueOf(numbers[1]));
  }

  /** The process that is measured: prints megabytes of anonymous memory and of file pages. */
  static final class Child {

    private static volatile double peak;

    public static void main(String[] arguments) throws Exception {
      Path file = Path.of(arguments[1]);
      NetworkGraph graph = graph(Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
      double before = status("RssAnon");
      double grown =
          switch (arguments[0]) {
            case "session" -> openSession(graph, file);
            case "whole" -> sampling(() -> runWhole(graph, file));
            case "blocks" -> sampling(() -> runBlocks(graph, file));
            case "convert" -> sampling(() -> convert(graph, file));
            default -> sampling(() -> round(LinearArithmetic.valueOf(arguments[0]), file));
          };
      System.out.println((peak - before) + " " + grown);
    }

    private static double openSession(NetworkGraph graph, Path file) throws IOException {
      SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.empty(), false);
      try (Weights weights =
              Weights.of(graph, NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER));
          NetworkSession session =
              NetworkSession.open(graph, typed(weights, file), Map.of(), settings)) {
        peak = status("RssAnon");
        double before = status("RssFile");
        Tensor tensor = weights.original().tensor("transformer_blocks.3.norm1.linear.weight");
        byte[] page = new byte[4096];
        ByteBuffer data = tensor.data();
        while (data.remaining() >= page.length) {
          data.get(page);
          if (!Arrays.equals(page, new byte[page.length])) {
            throw new AssertionError("a hole reads as zeros");
          }
        }
        return status("RssFile") - before + (session == null ? 1 : 0);
      }
    }

    private static TensorSource typed(Weights weights, Path file) throws IOException {
      WeightCache cache =
          new WeightCache(file.resolveSibling("cache"), WeightCache.DEFAULT_MAX_BYTES);
      return weights.inSessionType(
          Component.TRANSFORMER, cache, ProgressListener.NONE, new CancellationToken());
    }

    private static synchronized void look() {
      peak = Math.max(peak, status("RssAnon"));
    }

    /** Looks whenever a weight is begun, while the block before is loaded: no watch misses that. */
    private static TensorSource watched(TensorSource weights) {
      return (TensorSource)
          Proxy.newProxyInstance(
              Child.class.getClassLoader(),
              new Class<?>[] {TensorSource.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("read") && arguments[1].equals(0L)) {
                  look();
                }
                return method.invoke(weights, arguments);
              });
    }

    /** Watches the peak of anonymous memory meanwhile. */
    private static double sampling(Callable<Double> work) throws Exception {
      Thread sampler =
          new Thread(
              () -> {
                while (!Thread.currentThread().isInterrupted()) {
                  look();
                  // Looking leaves garbage, which is not to be measured.
                  LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
                }
              });
      sampler.setDaemon(true);
      sampler.start();
      double result = work.call();
      sampler.interrupt();
      sampler.join();
      return result;
    }

    private static double convert(NetworkGraph graph, Path file) throws IOException {
      try (Weights weights =
          Weights.of(graph, NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER))) {
        Shape shape = typed(weights, file).tensors().get("proj_out.weight").shape();
        if (shape.elementCount() != 64 * 3072) {
          throw new AssertionError(shape);
        }
      }
      return 0;
    }

    private static double round(LinearArithmetic linear, Path file) throws IOException {
      TensorSource source = NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER);
      NetworkGraph graph =
          TransformerGraph.build(
              config(1, 2),
              ElementType.F32,
              LinearLayers.of(source, new Arithmetic(ElementType.F32, linear)));
      try (Weights weights = Weights.of(graph, source)) {
        typed(weights, file);
      }
      return 0;
    }

    private static final SessionSettings PREPACKED =
        new SessionSettings(Device.cpu(), OptionalInt.empty(), true);

    private static double runWhole(NetworkGraph graph, Path file) throws IOException {
      try (Weights weights =
              Weights.of(graph, NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER));
          NetworkSession network =
              NetworkSession.open(graph, weights.original(), Map.of(), PREPACKED)) {
        return run(network);
      }
    }

    private static double runBlocks(NetworkGraph graph, Path file) throws IOException {
      try (Weights weights =
              Weights.of(graph, NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER));
          BlockwiseNetwork network =
              new BlockwiseNetwork(
                  graph,
                  watched(weights.original()),
                  Map.of(),
                  PREPACKED,
                  new NetworkRuns(file.getParent()))) {
        return run(network);
      }
    }

    private static double run(LoadedNetwork network) {
      Map<String, Tensor> inputs = new HashMap<>();
      inputs.put("hidden_states", zeros(1, 4, 64));
      inputs.put("encoder_hidden_states", zeros(1, 2, 4096));
      inputs.put("pooled_projections", zeros(1, 768));
      inputs.put("timestep", zeros(1));
      inputs.put("guidance", zeros(1));
      for (String table : List.of("query_cos", "query_sin", "key_cos", "key_sin")) {
        inputs.put(table, zeros(6, 64));
      }
      float[] velocity = network.run(inputs, new CancellationToken());
      look();
      if (velocity.length != 4 * 64) {
        throw new AssertionError(velocity.length);
      }
      return 0;
    }

    private static Tensor zeros(long... dimensions) {
      return Tensor.ofFloats(new float[(int) Shape.of(dimensions).elementCount()], dimensions);
    }

    private static double status(String key) {
      try {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith(key + ":"))
            .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) / 1024)
            .findFirst()
            .orElseThrow();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
