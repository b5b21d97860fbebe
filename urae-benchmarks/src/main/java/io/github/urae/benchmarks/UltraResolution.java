package io.github.urae.benchmarks;

import io.github.urae.StageProgress;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/**
 * Text to a saved picture at ultra resolution with the small checkpoint on the CPU: the time of
 * each step and of the rest, and the peak of anonymous memory, the JVM's included.
 *
 * <p>Arguments: pixels a side (4096), steps (4), and {@code coarse-to-fine} to draw in two passes.
 * One size a process, for memory is not given back.
 */
public final class UltraResolution {

  private static final String PROMPT = "desert dunes at sunset with the sun on the right";

  private UltraResolution() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments as above
   * @throws IOException if a file cannot be written
   */
  public static void main(String[] arguments) throws IOException {
    int size = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 4096;
    int steps = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 4;
    Path cache = Path.of("target/benchmark-cache");
    Path model = DemoModel.unpackInto(cache).checkpoint();
    GenerationRequest.Builder request =
        GenerationRequest.builder(PROMPT).size(size, size).steps(steps).seed(0);
    if (Arrays.asList(arguments).contains("coarse-to-fine")) {
      request.coarseToFine(CoarseToFine.defaults());
    }
    try (TemporaryFolder folder = TemporaryFolder.create();
        PeakMemory memory = PeakMemory.watching();
        FluxPipeline pipeline =
            FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(cache).build()) {
      long start = System.nanoTime();
      List<GeneratedImage> pictures =
          pipeline.generate(
              request.build(), RunOptions.builder().listener(UltraResolution::print).build());
      long generated = System.nanoTime();
      Path file = folder.path().resolve("picture.png");
      pictures.get(0).save(file);
      long saved = System.nanoTime();
      System.out.printf(
          "%dx%d, %d steps: text to pixels %.1f s, PNG of %.1f MB in %.1f s,"
              + " peak anonymous memory %.0f MB%n",
          size,
          size,
          steps,
          (generated - start) / 1e9,
          Files.size(file) / 1e6,
          (saved - generated) / 1e9,
          memory.megabytes());
    }
  }

  /** Prints how far every stage has come. */
  private static void print(StageProgress progress) {
    System.out.printf(
        "%s %s %d of %d, %.1f s, about %d s left, %.0f MB anonymous%n",
        progress.stage().id(),
        progress.component().orElse(""),
        progress.done(),
        progress.total(),
        progress.elapsed().toNanos() / 1e9,
        progress.remaining().map(Duration::toSeconds).orElse(-1L),
        AnonymousMemory.megabytes());
  }
}
