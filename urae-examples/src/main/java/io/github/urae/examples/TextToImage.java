package io.github.urae.examples;

import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;

/**
 * A picture of a text. Shows: opening a model by folder or Hugging Face id, drawing, saving.
 * Arguments: model, text, output file, such as {@code FLUX.1-dev "a sailing boat" boat.png}.
 */
public final class TextToImage {

  private TextToImage() {}

  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline = FluxPipeline.builder().model(arguments[0]).build()) {
      int side = pipeline.model().nativeSize();
      pipeline.generate(arguments[1], side, side).save(Path.of(arguments[2]));
    }
  }
}
