package io.github.urae.benchmarks;

import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * What the pipeline costs beside ONNX Runtime, on the small checkpoint at 512x512 with 8 steps on
 * the CPU: the share of {@code generate} that is spent outside ONNX Runtime, and the time from
 * {@code java} to the end of the first step with a warm cache.
 */
public final class PipelineOverhead {

  private static final String PROMPT = "a lighthouse on a cliff at sunset with clouds";
  private static final int SIZE = 512;
  private static final int STEPS = 8;
  private static final int ROUNDS = 7;

  /** Pictures until the compiler has seen enough of what runs once a picture. */
  private static final int WARM_UP = 20;

  private PipelineOverhead() {}

  /**
   * Runs the benchmark, or its child process, which ends after the first step.
   *
   * @param arguments none
   * @throws Exception if a child process fails
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 1) {
      runToFirstStep(Path.of(arguments[0]));
      return;
    }
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      measure(folder.path());
    }
  }

  private static void measure(Path cache) throws Exception {
    Path archive = cache.resolve("classes.jsa");
    // As ./urae does after a build.
    firstStep(cache, "-XX:ArchiveClassesAtExit=" + archive);
    printOutsideRuntime(cache);
    List<Double> archived = new ArrayList<>();
    List<Double> plain = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      archived.add(firstStep(cache, "-XX:SharedArchiveFile=" + archive));
      plain.add(firstStep(cache, "-Xshare:auto"));
    }
    System.out.printf("java to the end of the first step: %s s%n", summary(archived));
    System.out.printf("  without an archive of classes: %s s%n", summary(plain));
  }

  private static void printOutsideRuntime(Path cache) throws IOException {
    List<Double> shares = new ArrayList<>();
    try (FluxPipeline pipeline = open(cache)) {
      for (int round = 0; round < WARM_UP + ROUNDS; round++) {
        long before = pipeline.timeInRuntime().toNanos();
        long start = System.nanoTime();
        pipeline.generate(request().build());
        long all = System.nanoTime() - start;
        long inside = pipeline.timeInRuntime().toNanos() - before;
        shares.add(100.0 * (all - inside) / all);
      }
    }
    System.out.printf(
        "time outside ONNX Runtime: %s %%%n", summary(shares.subList(WARM_UP, shares.size())));
    System.out.printf("  in the first pictures: %s %%%n", summary(shares.subList(0, ROUNDS)));
  }

  private static double firstStep(Path cache, String option) throws Exception {
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xlog:disable",
            option,
            "-cp",
            System.getProperty("java.class.path"),
            PipelineOverhead.class.getName(),
            cache.toString());
    long start = System.nanoTime();
    Process child =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    // One byte, right after the first step.
    int signal = child.getInputStream().read();
    double elapsed = (System.nanoTime() - start) / 1e9;
    if (child.waitFor() != 0 || signal < 0) {
      throw new IllegalStateException("the child process failed");
    }
    return elapsed;
  }

  private static String summary(List<Double> values) {
    double[] sorted = values.stream().mapToDouble(d -> d).sorted().toArray();
    return String.format(
        "%.2f (median; %.2f to %.2f in %d rounds)",
        sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1], sorted.length);
  }

  private static void runToFirstStep(Path cache) throws IOException {
    Consumer<DenoisingStep> listener =
        step -> {
          System.out.write(1);
          System.out.flush();
          Runtime.getRuntime().halt(0);
        };
    try (FluxPipeline pipeline = open(cache)) {
      pipeline.generate(request().build(), RunOptions.builder().onStep(listener).build());
    }
  }

  private static FluxPipeline open(Path cache) throws IOException {
    Path model = DemoModel.unpackInto(cache).checkpoint();
    return FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(cache).build();
  }

  private static GenerationRequest.Builder request() {
    return GenerationRequest.builder(PROMPT).size(SIZE, SIZE).steps(STEPS).seed(1);
  }
}
