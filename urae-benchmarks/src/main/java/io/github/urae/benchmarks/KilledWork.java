package io.github.urae.benchmarks;

import io.github.urae.adapter.AdapterConversion;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.ModelBuilder;
import io.github.urae.demo.DemoModel;
import io.github.urae.device.Device;
import io.github.urae.export.OnnxExport;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** One piece of work that writes a file or folder; the arguments are its name, cache and output. */
final class KilledWork {

  static final List<String> NAMES = List.of("generate", "merge", "export", "convert");

  private KilledWork() {}

  /** Does it. */
  public static void main(String[] arguments) throws IOException {
    Path cache = Path.of(arguments[1]);
    Path output = Path.of(arguments[2]);
    DemoModel model = DemoModel.unpackInto(cache);
    switch (arguments[0]) {
      case "generate" -> {
        try (FluxPipeline pipeline =
            adapted(FluxPipeline.builder().device(Device.cpu()), model, cache).build()) {
          GenerationRequest request =
              GenerationRequest.builder("a star").size(64, 64).steps(2).seed(1).build();
          pipeline.generate(request).get(0).save(output);
        }
      }
      case "merge" -> adapted(CheckpointMerger.builder().output(output), model, cache).write();
      case "export" -> adapted(OnnxExport.builder().output(output), model, cache).write();
      case "convert" ->
          adapted(AdapterConversion.builder().output(output), model, cache).writeLowRank();
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  private static <B extends ModelBuilder<B>> B adapted(B builder, DemoModel model, Path cache) {
    return builder
        .model(model.checkpoint())
        .adapter(model.adapter2k())
        .adapter(model.adapter4k())
        .cacheFolder(cache);
  }

  /** Returns the name of an output of a piece of work. */
  static String output(String name) {
    return switch (name) {
      case "generate" -> "picture.png";
      case "convert" -> "converted.safetensors";
      default -> name;
    };
  }
}
