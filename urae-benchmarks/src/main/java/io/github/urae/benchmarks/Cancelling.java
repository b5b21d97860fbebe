package io.github.urae.benchmarks;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Cancels a large generation in the middle of its first step, several times in one pipeline: how
 * soon the caller is back, how long the next generation waits for the operator that goes on, and
 * the memory held after it, which must not grow from one time to the next.
 *
 * <p>Arguments: pixels a side (4096), seconds until it is cancelled (10), times (3).
 */
public final class Cancelling {

  private Cancelling() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments as above
   * @throws IOException if the model cannot be read
   * @throws InterruptedException if this thread is interrupted
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    int side = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 4096;
    int seconds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 10;
    int times = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 3;
    Path cache = Path.of("target/benchmark-cache");
    Path model = DemoModel.unpackInto(cache).checkpoint();
    try (FluxPipeline pipeline =
        FluxPipeline.builder().model(model).device(Device.cpu()).cacheFolder(cache).build()) {
      drawSmall(pipeline);
      double base = AnonymousMemory.megabytes();
      for (int time = 0; time < times; time++) {
        double back = cancelAfter(seconds, pipeline, side);
        double during = AnonymousMemory.megabytes();
        long start = System.nanoTime();
        drawSmall(pipeline);
        System.out.printf(
            "%dx%d cancelled after %d s: back after %.3f s holding %.0f MB more than before;"
                + " the next picture waited %.1f s, then %.0f MB more than before%n",
            side,
            side,
            seconds,
            back,
            during - base,
            (System.nanoTime() - start) / 1e9,
            AnonymousMemory.megabytes() - base);
      }
    }
  }

  /** Returns the seconds from the cancellation until the caller was back. */
  private static double cancelAfter(int seconds, FluxPipeline pipeline, int side)
      throws InterruptedException {
    CancellationToken token = new CancellationToken();
    long[] cancelled = new long[1];
    Thread canceller =
        new Thread(
            () -> {
              try {
                Thread.sleep(1000L * seconds);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              cancelled[0] = System.nanoTime();
              token.cancel();
            });
    canceller.start();
    try {
      pipeline.generate(
          GenerationRequest.builder("a").size(side, side).steps(4).build(),
          RunOptions.builder().cancellation(token).build());
      throw new IllegalStateException("was not cancelled");
    } catch (GenerationCancelledException e) {
      long back = System.nanoTime();
      canceller.join();
      return (back - cancelled[0]) / 1e9;
    }
  }

  private static void drawSmall(FluxPipeline pipeline) {
    pipeline.generate(GenerationRequest.builder("a").size(64, 64).steps(1).build());
    System.gc();
  }
}
