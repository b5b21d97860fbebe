package io.github.urae.examples;

import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;

/**
 * A picture of twice the model's native size with URAE's adapter. Shows: adapters, requests, what
 * is told of the progress. Arguments: model, adapter, text, output file.
 */
public final class UltraResolution {

  private UltraResolution() {}

  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline =
        FluxPipeline.builder().model(arguments[0]).adapter(arguments[1]).build()) {
      int side = 2 * pipeline.model().nativeSize();
      GenerationRequest request =
          GenerationRequest.builder(arguments[2]).size(side, side).seed(7).build();
      System.out.println("peak: " + pipeline.plan(request).peakBytes() / 1_000_000 + " MB");
      RunOptions options =
          RunOptions.builder()
              .listener(
                  progress ->
                      System.out.printf(
                          "%s %d of %d, %s left%n",
                          progress.stage().id(),
                          progress.done(),
                          progress.total(),
                          progress.remaining().map(left -> left.toSeconds() + " s").orElse("?")))
              .build();
      pipeline.generate(request, options).get(0).save(Path.of(arguments[3]));
    }
  }
}
