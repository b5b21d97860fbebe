package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.Tensor;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.NativeMemory;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TargetModules;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.training.internal.torch.TorchEngine;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Memory over hundreds of training steps with the bundled checkpoint: anonymous memory and the
 * number of native objects, which fails where either grows. Runs again in a process whose heap is
 * small and collected all the time, where whatever waits for a collection is freed at odd moments.
 */
public final class TrainingMemory {

  private static final String USAGE =
      """
      usage: ./benchmark training-memory [--steps N] [--heap MB]
      """;

  private static final int WARM_UP = 100;

  /** Megabytes. */
  private static final int USUAL_HEAP = 256;

  private static final double MOST_GROWTH = 1.02;

  private TrainingMemory() {}

  /**
   * Runs the steps in a process of its own.
   *
   * @param arguments as printed when there are unknown ones
   * @throws IOException if a process fails
   */
  public static void main(String[] arguments) throws IOException {
    Arguments parsed = Arguments.parse(arguments, USAGE);
    int steps = parsed.number("steps", 500);
    int heap = parsed.number("heap", 0);
    parsed.finish();
    // A heap that is all there from the beginning does not grow.
    String size = (heap > 0 ? heap : USUAL_HEAP) + "m";
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xms" + size, "-Xmx" + size, "-XX:+AlwaysPreTouch"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(
        List.of(Steps.class.getName(), Integer.toString(steps), Boolean.toString(heap > 0)));
    try {
      int status = new ProcessBuilder(command).inheritIO().start().waitFor();
      if (status != 0) {
        throw new IOException("the process ended with status " + status);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The process that trains. */
  static final class Steps {

    private Steps() {}

    public static void main(String[] arguments) throws IOException {
      run(Integer.parseInt(arguments[0]), Boolean.parseBoolean(arguments[1]));
    }
  }

  private static void run(int steps, boolean collecting) throws IOException {
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      DemoModel demo = DemoModel.unpackInto(folder.path());
      EngineSettings settings = EngineSettings.of(new AdapterStage.Minor(16, TargetModules.URAE));
      BaseModel model =
          new BaseModel(
              ModelLocation.of(demo.checkpoint()),
              List.of(new AdapterSpec(demo.adapter2k(), 1)),
              new WeightCache(folder.path().resolve("cache"), WeightCache.DEFAULT_MAX_BYTES));
      try (TrainingEngine engine =
          TorchEngine.open(model, settings, ProgressListener.NONE, new CancellationToken())) {
        measure(engine, steps, collecting);
      }
    }
  }

  private static void measure(TrainingEngine engine, int steps, boolean collecting) {
    TransformerConfig config = engine.config();
    double[] megabytes = new double[steps];
    long pointers = 0;
    for (int i = 0; i < WARM_UP + steps; i++) {
      // Pictures of several sizes, as in training.
      engine.accumulate(step(config, 8 + i % 3, 8 + i % 2, i), 1);
      engine.clipGradients(1);
      engine.update(1);
      if (i == WARM_UP / 2 || (collecting && i % 5 == 0)) {
        // At first for what the decomposition has left.
        System.gc();
      }
      NativeMemory memory = engine.memory();
      if (i < WARM_UP) {
        pointers = memory.pointers();
        continue;
      }
      megabytes[i - WARM_UP] = AnonymousMemory.megabytes(ProcessHandle.current().pid());
      if (memory.pointers() != pointers) {
        throw new IllegalStateException(
            "native objects: " + pointers + " at first, " + memory.pointers() + " after " + i);
      }
    }
    double first = Arrays.stream(megabytes, 0, steps / 5).average().orElseThrow();
    double last = Arrays.stream(megabytes, steps - steps / 5, steps).average().orElseThrow();
    System.out.printf(
        Locale.ROOT,
        "%d steps%s: %d native objects throughout; anonymous memory %.1f"
            + " MB in the first fifth, %.1f MB in the last%n",
        steps,
        collecting ? " with a small heap, collected every fifth step" : "",
        pointers,
        first,
        last);
    if (last > MOST_GROWTH * first) {
      throw new IllegalStateException("memory grew by more than 2 %");
    }
  }

  private static StepInputs step(TransformerConfig config, int rows, int columns, int seed) {
    TorchGenerator random = new TorchGenerator(seed);
    int tokens = rows * columns;
    return new StepInputs(
        Tensor.ofFloats(random.randn(tokens * 64), tokens, 64),
        rows,
        columns,
        0.5,
        1,
        Tensor.ofFloats(random.randn(32 * config.textDim()), 32, config.textDim()),
        Tensor.ofFloats(random.randn(config.pooledDim()), config.pooledDim()),
        Tensor.ofFloats(random.randn(tokens * 64), tokens, 64),
        1);
  }
}
