package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InvalidRequestException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.ToDoubleFunction;

/**
 * A process that draws for a long time: small pictures of mixed sizes, of which one in ten is
 * cancelled and one in ten fails; every tenth time other adapters, every fiftieth another pipeline.
 * What it holds must not grow: it is looked at twenty times, with no pipeline open, and the last
 * quarter compared with what was there after the first fifth. Ends with status 1 where it grew.
 *
 * <p>Options: {@code --generations} (5000), {@code --seed} (random). Linux only.
 */
public final class Soak {

  private static final String USAGE = "usage: ./benchmark soak [--generations N] [--seed N]";

  private static final int SAMPLES = 20;

  /** By then whatever is kept once (compiled code, arenas, classes) is there. */
  private static final int WARM = SAMPLES / 5;

  /** What must not grow may do so by that much. */
  private static final double TOLERANCE = 0.02;

  private static final Map<String, ToDoubleFunction<ProcessState>> BOUNDED = new LinkedHashMap<>();

  static {
    BOUNDED.put("resident MB", ProcessState::resident);
    BOUNDED.put("sessions", ProcessState::sessions);
    BOUNDED.put("threads", ProcessState::threads);
    BOUNDED.put("files", ProcessState::files);
    BOUNDED.put("mappings", ProcessState::mappings);
  }

  private static final List<Offload> OFFLOADS = List.copyOf(EnumSet.allOf(Offload.class));

  private final DemoModel model;
  private final Path cache;
  private final SplittableRandom random;
  private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
  private int drawn;
  private int cancelled;
  private int failed;
  private int swapped;
  private int opened;

  private Soak(Path cache, long seed) throws IOException {
    this.cache = cache;
    this.model = DemoModel.unpackInto(cache);
    this.random = new SplittableRandom(seed);
  }

  /**
   * Starts the benchmark in a process with a heap that is resident from the beginning.
   *
   * @param arguments as above
   * @throws IOException if it cannot be started
   * @throws InterruptedException if this thread is interrupted
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of("-Xms128m", "-Xmx128m", "-XX:+AlwaysPreTouch", "-XX:NativeMemoryTracking=summary"));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), InProcess.class.getName()));
    command.addAll(List.of(arguments));
    System.exit(new ProcessBuilder(command).inheritIO().start().waitFor());
  }

  /** The benchmark itself. */
  static final class InProcess {

    private InProcess() {}

    public static void main(String[] arguments) throws IOException {
      Arguments given = Arguments.parse(arguments, USAGE);
      int generations = given.number("generations", 5000);
      int seed = given.number("seed", (int) System.nanoTime());
      given.finish();
      System.out.println("seed " + seed);
      boolean flat;
      try (TemporaryFolder cache = TemporaryFolder.create()) {
        flat = new Soak(cache.path(), seed).run(generations);
      }
      System.exit(flat ? 0 : 1);
    }
  }

  private boolean run(int generations) throws IOException {
    List<List<AdapterSpec>> choices =
        List.of(
            List.of(),
            List.of(new AdapterSpec(model.adapter2k(), 1)),
            List.of(new AdapterSpec(model.adapter2k(), 1), new AdapterSpec(model.adapter4k(), 1)),
            List.of(new AdapterSpec(model.adapter2k(), 0.5)));
    List<ProcessState> states = new ArrayList<>();
    System.out.println("generation | " + String.join(" | ", ProcessState.COLUMNS));
    FluxPipeline pipeline = open();
    try {
      for (int i = 1; i <= generations; i++) {
        generate(pipeline);
        if (i % 10 == 0) {
          pipeline.setAdapters(choices.get(swapped++ % choices.size()));
        }
        boolean sampled = i % Math.max(1, generations / SAMPLES) == 0;
        if (sampled || i % 50 == 0) {
          pipeline.close();
          pipeline = null; // What it refers to would be counted.
          if (sampled) {
            states.add(ProcessState.now());
            System.out.printf("%10d | %s%n", i, states.get(states.size() - 1));
          }
          pipeline = open();
        }
      }
    } finally {
      if (pipeline != null) {
        pipeline.close();
      }
      timer.shutdown();
    }
    System.out.printf(
        "%d pictures drawn, %d generations cancelled, %d failed; %d times other adapters,"
            + " %d pipelines%n",
        drawn, cancelled, failed, swapped, opened);
    return isFlat(states);
  }

  private FluxPipeline open() throws IOException {
    return FluxPipeline.builder()
        .model(model.checkpoint())
        .device(Device.cpu())
        .cacheFolder(cache)
        .offload(OFFLOADS.get(opened++ % OFFLOADS.size()))
        .build();
  }

  private void generate(FluxPipeline pipeline) {
    int kind = random.nextInt(10);
    GenerationRequest.Builder request =
        GenerationRequest.builder("a star over " + random.nextInt(1000))
            .size(side(), side())
            .steps(random.nextInt(1, 3))
            .seed(random.nextInt());
    RunOptions.Builder options = RunOptions.builder();
    if (kind == 0) {
      CancellationToken token = new CancellationToken();
      options.cancellation(token);
      ScheduledFuture<?> unused =
          timer.schedule(token::cancel, random.nextInt(60), TimeUnit.MILLISECONDS);
    } else if (kind == 1) {
      fail(request, options);
    }
    try {
      drawn += pipeline.generate(request.build(), options.build()).size();
    } catch (GenerationCancelledException e) {
      cancelled++;
    } catch (InvalidRequestException | IllegalStateException e) {
      if (kind != 1) {
        throw e;
      }
      failed++;
    }
  }

  /** Returns 64 to 256 pixels, mostly few of them. */
  private int side() {
    double share = random.nextDouble();
    return 16 * (4 + (int) (13 * share * share * share));
  }

  /** Before it begins, when a network has run, and when all have. */
  private void fail(GenerationRequest.Builder request, RunOptions.Builder options) {
    switch (random.nextInt(3)) {
      case 0 -> request.maxSequenceLength(100_000);
      case 1 ->
          options.onStep(
              step -> {
                throw new IllegalStateException("from the listener of a step");
              });
      default ->
          options.onImage(
              (image, index) -> {
                throw new IllegalStateException("from the receiver of a picture");
              });
    }
  }

  /** Compares the median of the last quarter with that after the warm-up. */
  private static boolean isFlat(List<ProcessState> states) {
    int quarter = Math.max(1, states.size() / 4);
    List<ProcessState> early =
        states.subList(WARM - 1, Math.min(states.size(), WARM - 1 + quarter));
    List<ProcessState> late = states.subList(states.size() - quarter, states.size());
    boolean flat = true;
    for (Map.Entry<String, ToDoubleFunction<ProcessState>> measure : BOUNDED.entrySet()) {
      double before = median(early, measure.getValue());
      double after = median(late, measure.getValue());
      boolean grew = after > before * (1 + TOLERANCE);
      flat &= !grew;
      System.out.printf(
          "%s: %.1f after the warm-up, %.1f in the last quarter%s%n",
          measure.getKey(), before, after, grew ? ": GREW" : "");
    }
    return flat;
  }

  private static double median(List<ProcessState> states, ToDoubleFunction<ProcessState> what) {
    double[] sorted = states.stream().mapToDouble(what).sorted().toArray();
    return sorted[sorted.length / 2];
  }
}
