package io.github.urae.examples;

import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A picture drawn on another thread, and given up if it takes too long. Shows: futures, and that
 * cancelling one cancels the work. Arguments: model, text, output file, seconds to wait.
 */
public final class CancelledGeneration {

  private CancelledGeneration() {}

  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline = FluxPipeline.builder().model(arguments[0]).build()) {
      CompletableFuture<List<GeneratedImage>> pictures =
          pipeline.generateAsync(GenerationRequest.builder(arguments[1]).build());
      try {
        pictures
            .get(Long.parseLong(arguments[3]), TimeUnit.SECONDS)
            .get(0)
            .save(Path.of(arguments[2]));
      } catch (TimeoutException e) {
        pictures.cancel(true);
        System.out.println("cancelled");
      }
    }
  }
}
