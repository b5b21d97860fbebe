package io.github.urae.benchmarks;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.github.urae.benchmarks.OperatorTimes.Product;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * Where a float32 step on the processor spends its time, what a machine's matrix products could do,
 * and what each setting and layout brings. The slice is FLUX.1-dev's transformer at its true width
 * with 1 of 19 double and 2 of 38 single blocks. Everything is alternated and given as medians.
 */
public final class StepProfile {

  private static final String USAGE =
      "usage: ./benchmark step [SIZE ...] [--rounds N] [--settings yes|no]\n";

  private static final long WIDTH = 3072;

  private final NetworkGraph graph;
  private final TensorSource weights;
  private final Path folder;
  private final int rounds;

  private StepProfile(NetworkGraph graph, TensorSource weights, Path folder, int rounds) {
    this.graph = graph;
    this.weights = weights;
    this.folder = folder;
    this.rounds = rounds;
  }

  /**
   * Runs the benchmark.
   *
   * @param arguments sizes in pixels a side (512 1024), and options
   * @throws IOException if the temporary checkpoint cannot be written
   * @throws OrtException if ONNX Runtime fails
   */
  public static void main(String[] arguments) throws IOException, OrtException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    List<Integer> sizes = parsed.numbers(List.of(512, 1024));
    int rounds = parsed.number("rounds", 5);
    boolean settings = parsed.option("settings", "yes").equals("yes");
    parsed.finish();
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      TransformerConfig config =
          SyntheticCheckpoint.writeTransformer(folder.path(), ElementType.F32, 1, 2);
      NetworkGraph graph = TransformerGraph.build(config, ElementType.F32);
      System.out.println(Machine.describe());
      try (TensorSource weights = Safetensors.open(folder.path().resolve("transformer"))) {
        StepProfile profile = new StepProfile(graph, weights, folder.path(), rounds);
        for (int size : sizes) {
          LatentGrid grid = new LatentGrid(Flux1.LATENTS, size, size);
          profile.operators(grid);
          if (settings) {
            profile.settings(grid);
            profile.layouts(StepInputs.TEXT_TOKENS + grid.tokens());
          }
        }
      }
    }
  }

  /** Alternates the step and its matrix products alone. */
  private void operators(LatentGrid grid) throws IOException, OrtException {
    Map<String, Tensor> inputs = StepInputs.of(grid);
    List<OperatorTimes.Run> runs;
    Map<Product, List<Double>> alone = new LinkedHashMap<>();
    RawSession.Settings profiling =
        RawSession.Settings.libraryAnd(
            options -> options.enableProfiling(folder.resolve("profile").toString()));
    try (RawSession session = new RawSession(graph, weights, profiling);
        OwnedResources opened = new OwnedResources()) {
      session.run(inputs);
      Map<Product, MatrixProduct> products = products(grid, opened);
      for (int round = 0; round < rounds; round++) {
        session.run(inputs);
        for (Map.Entry<Product, MatrixProduct> product : products.entrySet()) {
          alone
              .computeIfAbsent(product.getKey(), k -> new ArrayList<>())
              .add(product.getValue().run());
        }
      }
      runs = OperatorTimes.read(session.profile());
    }
    print(grid, runs.subList(1, runs.size()), alone);
  }

  /** The products of the linear layers over all tokens; those of single rows take no time. */
  private static Map<Product, MatrixProduct> products(LatentGrid grid, OwnedResources opened)
      throws OrtException {
    long image = grid.tokens();
    long text = StepInputs.TEXT_TOKENS;
    Map<Product, MatrixProduct> products = new LinkedHashMap<>();
    for (long rows : new long[] {text, image, text + image}) {
      boolean single = rows == text + image;
      List<Product> own =
          List.of(
              new Product(rows, WIDTH, WIDTH),
              new Product(rows, 4 * WIDTH, WIDTH),
              new Product(rows, WIDTH, (single ? 5 : 4) * WIDTH));
      for (Product product : own) {
        MatrixProduct session = new MatrixProduct(product);
        opened.add(session);
        session.run();
        products.put(product, session);
      }
    }
    return products;
  }

  private static void print(
      LatentGrid grid, List<OperatorTimes.Run> runs, Map<Product, List<Double>> alone) {
    double step = median(runs, OperatorTimes.Run::seconds);
    System.out.printf(Locale.ROOT, "%n%dx%d: step %.2f s%n", grid.width(), grid.height(), step);
    List<String> operators =
        runs.get(0).byOperator().keySet().stream()
            .sorted(Comparator.comparing(o -> -runs.get(0).byOperator().get(o)))
            .limit(8)
            .toList();
    for (String operator : operators) {
      double seconds = median(runs, run -> run.byOperator().get(operator));
      System.out.printf(
          Locale.ROOT, "  %-20s %7.3f s %5.1f %%%n", operator, seconds, 100 * seconds / step);
    }
    double expected = 0;
    double operations = 0;
    for (Map.Entry<Product, Integer> product : runs.get(0).products().entrySet()) {
      List<Double> seconds = alone.get(product.getKey());
      if (seconds != null) {
        operations += product.getValue() * product.getKey().operations();
        expected += product.getValue() * Medians.median(seconds);
      }
    }
    double spent = median(runs, run -> run.byOperator().get("Gemm"));
    System.out.printf(
        Locale.ROOT,
        "  matrix products: %.0f GFLOP/s in the step, %.0f alone: %.0f %%%n",
        operations / spent / 1e9,
        operations / expected / 1e9,
        100 * expected / spent);
  }

  private static double median(
      List<OperatorTimes.Run> runs, ToDoubleFunction<OperatorTimes.Run> figure) {
    return Medians.median(runs.stream().map(run -> figure.applyAsDouble(run)).toList());
  }

  private void settings(LatentGrid grid) throws IOException, OrtException {
    Map<String, RawSession.Settings> variants = new LinkedHashMap<>();
    variants.put("as the library sets it", RawSession.Settings.LIBRARY);
    variants.put("prepacked weights", options -> {});
    variants.put(
        "basic optimisation",
        RawSession.Settings.libraryAnd(
            options -> options.setOptimizationLevel(SessionOptions.OptLevel.BASIC_OPT)));
    variants.put(
        "no spinning",
        RawSession.Settings.libraryAnd(
            options -> options.addConfigEntry("session.intra_op.allow_spinning", "0")));
    variants.put(
        "one thread", RawSession.Settings.libraryAnd(options -> options.setIntraOpNumThreads(1)));
    Map<String, Tensor> inputs = StepInputs.of(grid);
    Map<String, List<Double>> seconds = new LinkedHashMap<>();
    try (OwnedResources opened = new OwnedResources()) {
      Map<String, RawSession> sessions = new LinkedHashMap<>();
      for (Map.Entry<String, RawSession.Settings> variant : variants.entrySet()) {
        double before = AnonymousMemory.megabytes();
        RawSession session = new RawSession(graph, weights, variant.getValue());
        opened.add(session);
        System.out.printf(
            Locale.ROOT,
            "  %-24s %6.0f MB of anonymous memory once open%n",
            variant.getKey(),
            AnonymousMemory.megabytes() - before);
        session.run(inputs);
        sessions.put(variant.getKey(), session);
        seconds.put(variant.getKey(), new ArrayList<>());
      }
      for (int round = 0; round < rounds; round++) {
        for (Map.Entry<String, RawSession> session : sessions.entrySet()) {
          seconds.get(session.getKey()).add(session.getValue().run(inputs));
        }
      }
    }
    printRatios("step, seconds", seconds);
  }

  /** Projections apart as the checkpoint stores them, and fused. */
  private void layouts(long tokens) throws IOException, OrtException {
    Map<String, List<Product>> layouts = new LinkedHashMap<>();
    Product square = new Product(tokens, WIDTH, WIDTH);
    layouts.put("q, k, v apart", List.of(square, square, square));
    layouts.put("q, k, v fused", List.of(new Product(tokens, 3 * WIDTH, WIDTH)));
    layouts.put(
        "single block's input apart",
        List.of(square, square, square, new Product(tokens, 4 * WIDTH, WIDTH)));
    layouts.put("single block's input fused", List.of(new Product(tokens, 7 * WIDTH, WIDTH)));
    Map<Product, MatrixProduct> sessions = new HashMap<>();
    Map<String, List<Double>> seconds = new LinkedHashMap<>();
    try (OwnedResources opened = new OwnedResources()) {
      for (List<Product> layout : layouts.values()) {
        for (Product product : layout) {
          if (!sessions.containsKey(product)) {
            MatrixProduct session = new MatrixProduct(product);
            opened.add(session);
            session.run();
            sessions.put(product, session);
          }
        }
      }
      for (int round = 0; round < rounds; round++) {
        for (Map.Entry<String, List<Product>> layout : layouts.entrySet()) {
          double sum = 0;
          for (Product product : layout.getValue()) {
            sum += sessions.get(product).run();
          }
          seconds.computeIfAbsent(layout.getKey(), k -> new ArrayList<>()).add(sum);
        }
      }
    }
    printRatios("matrix products of " + tokens + " tokens, seconds", seconds);
  }

  private static void printRatios(String title, Map<String, List<Double>> seconds) {
    System.out.println("  " + title);
    double first = Medians.median(seconds.values().iterator().next());
    seconds.forEach(
        (name, values) ->
            System.out.printf(
                Locale.ROOT,
                "    %-28s %s, ratio %.2f%n",
                name,
                Medians.describe(values),
                Medians.median(values) / first));
  }
}
