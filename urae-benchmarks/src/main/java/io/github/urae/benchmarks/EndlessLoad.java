package io.github.urae.benchmarks;

import io.github.urae.adapter.AdapterSpec;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/**
 * An application that draws without end: two threads in one pipeline, a third that opens pipelines,
 * exchanges adapters and closes them. Ends when its process is told to, or exits by itself.
 *
 * <p>Arguments: cache folder, seed, milliseconds until it exits (never if negative).
 */
final class EndlessLoad {

  /** The status with which it exits by itself. */
  static final int STATUS = 7;

  /** What it says when its threads work. */
  static final String WORKING = "working";

  private EndlessLoad() {}

  /** Runs until it ends. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Path cache = Path.of(arguments[0]);
    long seed = Long.parseLong(arguments[1]);
    int exitAfter = Integer.parseInt(arguments[2]);
    DemoModel model = DemoModel.unpackInto(cache);
    System.out.println(WORKING);
    if (exitAfter >= 0) {
      Thread exit = new Thread(() -> exitAfter(exitAfter));
      exit.setDaemon(true);
      exit.start();
    }
    FluxPipeline shared = builder(model, cache).build();
    for (int i = 0; i < 2; i++) {
      SplittableRandom random = new SplittableRandom(seed + i);
      new Thread(() -> draw(shared, random)).start();
    }
    List<List<AdapterSpec>> choices =
        List.of(
            List.of(new AdapterSpec(model.adapter2k(), 1)),
            List.of(new AdapterSpec(model.adapter2k(), 1), new AdapterSpec(model.adapter4k(), 1)));
    for (int i = 0; ; i++) {
      try (FluxPipeline own = builder(model, cache).offload(Offload.ONE_AT_A_TIME).build()) {
        own.setAdapters(choices.get(i % choices.size()));
        own.generate(GenerationRequest.builder("a star").size(64, 64).steps(1).build());
      }
    }
  }

  private static FluxPipeline.Builder builder(DemoModel model, Path cache) {
    return FluxPipeline.builder().model(model.checkpoint()).device(Device.cpu()).cacheFolder(cache);
  }

  private static void exitAfter(int milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    System.exit(STATUS);
  }

  private static void draw(FluxPipeline pipeline, SplittableRandom random) {
    while (true) {
      int side = 16 * random.nextInt(4, 24);
      pipeline.generate(
          GenerationRequest.builder("a star").size(side, side).steps(random.nextInt(1, 4)).build());
    }
  }
}
