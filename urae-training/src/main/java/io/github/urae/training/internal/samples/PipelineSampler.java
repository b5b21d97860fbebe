package io.github.urae.training.internal.samples;

import io.github.urae.CancellationToken;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.device.Device;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.internal.FileReplacement;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.training.internal.loop.TrainingLoop;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Draws samples through the library's own pipeline, on the processor, while the engine rests. The
 * pipeline is opened each time and closed again, so that training has the memory.
 */
public final class PipelineSampler implements TrainingLoop.Sampler {

  private final ModelLocation location;
  private final Path cache;
  private final List<AdapterSpec> baseAdapters;
  private final List<GenerationRequest> requests;
  private final Path output;
  private final OptionalInt threads;
  private final CancellationToken cancellation;

  /**
   * Creates a sampler.
   *
   * @param location the checkpoint
   * @param cache the cache folder
   * @param baseAdapters what the adapter was trained on
   * @param requests what is drawn
   * @param output the training's folder
   * @param threads for each operator
   * @param cancellation ends drawing
   */
  public PipelineSampler(
      ModelLocation location,
      Path cache,
      List<AdapterSpec> baseAdapters,
      List<GenerationRequest> requests,
      Path output,
      OptionalInt threads,
      CancellationToken cancellation) {
    this.location = location;
    this.cache = cache;
    this.baseAdapters = baseAdapters;
    this.requests = requests;
    this.output = output;
    this.threads = threads;
    this.cancellation = cancellation;
  }

  @Override
  public List<Path> draw(long step, TrainingEngine engine) throws IOException {
    Path folder = Files.createDirectories(output.resolve("samples"));
    Path adapter = FileReplacement.temporarySibling(folder.resolve("adapter.safetensors"));
    try {
      SafetensorsWriter.write(adapter, Map.of(), engine.adapter());
      List<GeneratedImage> pictures = new ArrayList<>();
      try (FluxPipeline pipeline = open(adapter)) {
        RunOptions options = RunOptions.builder().cancellation(cancellation).build();
        for (GenerationRequest request : requests) {
          pictures.addAll(pipeline.generate(request, options));
        }
      }
      List<Path> files = new ArrayList<>();
      for (int i = 0; i < pictures.size(); i++) {
        Path file = folder.resolve(String.format(Locale.ROOT, "step-%06d-%d.png", step, i));
        pictures.get(i).save(file);
        files.add(file);
      }
      return files;
    } finally {
      FileReplacement.discard(adapter);
    }
  }

  private FluxPipeline open(Path adapter) throws IOException {
    FluxPipeline.Builder builder =
        FluxPipeline.builder()
            .device(Device.cpu())
            .cacheFolder(cache)
            .adapters(baseAdapters)
            .adapter(adapter)
            .allowBareMinorComponents(true)
            .cancellation(cancellation);
    location.model().ifPresent(builder::model);
    for (Map.Entry<Component, Path> part : location.parts().entrySet()) {
      switch (part.getKey()) {
        case TRANSFORMER -> builder.transformer(part.getValue());
        case TEXT_ENCODER -> builder.textEncoder(part.getValue());
        case TEXT_ENCODER_2 -> builder.textEncoder2(part.getValue());
        case VAE_ENCODER, VAE_DECODER -> builder.vae(part.getValue());
        case TOKENIZER, TOKENIZER_2 -> builder.tokenizers(part.getValue());
      }
    }
    threads.ifPresent(builder::threads);
    return builder.build();
  }
}
