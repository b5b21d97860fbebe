package io.github.urae.benchmarks;

import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * What {@code plan} expects against what is measured, with the small checkpoint on the CPU: the
 * peak of anonymous memory of a child process for each size, less what it held after a first small
 * picture, and the time of a step.
 *
 * <p>Arguments: pixels a side (512 1024 2048 4096).
 */
public final class PlannedMemory {

  private static final int SMALL = 128;

  /** Small, so that garbage is not mistaken for what is needed. */
  private static final String HEAP = "-Xmx400m";

  private PlannedMemory() {}

  /**
   * Runs the benchmark, or one of its child processes.
   *
   * @param arguments as above
   * @throws Exception if a child process fails
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length == 2 && arguments[0].equals("child")) {
      measure(Integer.parseInt(arguments[1]));
      return;
    }
    List<String> sizes =
        arguments.length > 0 ? List.of(arguments) : List.of("512", "1024", "2048", "4096");
    System.out.println(
        "side  transformer MB (plan)  decoder MB (plan)  peak MB (plan)  off by  s/step");
    for (String size : sizes) {
      Process child =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  HEAP,
                  "-XX:+UseSerialGC",
                  "-cp",
                  System.getProperty("java.class.path"),
                  PlannedMemory.class.getName(),
                  "child",
                  size)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      String row = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (child.waitFor() != 0) {
        throw new IllegalStateException("the child process failed: " + row);
      }
      System.out.print(row);
    }
  }

  private static GenerationRequest.Builder request(int side) {
    return GenerationRequest.builder("desert dunes").size(side, side).steps(1).seed(0);
  }

  private static void measure(int side) throws IOException {
    Path cache = Path.of("target/benchmark-cache");
    Path model = DemoModel.unpackInto(cache).checkpoint();
    try (FluxPipeline pipeline =
        FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(cache).build()) {
      pipeline.generate(request(SMALL).build());
      System.gc();
      GenerationPlan plan = pipeline.plan(side, side, 1);
      double base = AnonymousMemory.megabytes();
      double[] denoising = new double[2];
      try (PeakMemory denoise = PeakMemory.watching()) {
        PeakMemory[] decode = new PeakMemory[1];
        Consumer<DenoisingStep> listener =
            step -> {
              denoising[0] = denoise.megabytes() - base;
              decode[0] = PeakMemory.watching();
            };
        ProgressListener clock =
            progress -> {
              if (progress.stage() == Stage.DENOISING) {
                denoising[1] = progress.elapsed().toNanos() / 1e9;
              }
            };
        pipeline.generate(
            request(side).build(), RunOptions.builder().onStep(listener).listener(clock).build());
        double decoding = decode[0].megabytes() - base;
        decode[0].close();
        double peak = Math.max(denoising[0], decoding);
        double planned = plan.peakBytes() / 1048576.0;
        System.out.printf(
            Locale.ROOT,
            "%4d  %8.0f (%6.0f)  %8.0f (%6.0f)  %8.0f (%6.0f)  %+.1f %%  %.1f%n",
            side,
            denoising[0],
            plan.phases().get(2).peakBytes() / 1048576.0,
            decoding,
            plan.phases().get(3).peakBytes() / 1048576.0,
            peak,
            planned,
            100 * (planned / peak - 1),
            denoising[1]);
      }
    }
  }
}
