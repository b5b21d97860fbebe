package io.github.urae.examples;

import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;

/**
 * A picture that begins with another one. Shows: an initial image and its strength, from above 0
 * (stays almost as it is) to 1 (is forgotten). Arguments: model, initial image, text, output file.
 */
public final class ImageToImage {

  private ImageToImage() {}

  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline = FluxPipeline.builder().model(arguments[0]).build()) {
      GenerationRequest request =
          GenerationRequest.builder(arguments[2])
              .initialImage(Path.of(arguments[1]), 0.6)
              .seed(7)
              .build();
      pipeline.generate(request).get(0).save(Path.of(arguments[3]));
    }
  }
}
