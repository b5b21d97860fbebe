package io.github.urae.examples;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.model.image.ImageModel;
import io.github.urae.langchain4j.UraeImageModel;
import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;

/**
 * A picture of a text, then an edit of it, by LangChain4j's interface. Shows: settings that every
 * request has, generate and edit. Arguments: model, text, text of the edit, output file.
 */
public final class DrawWithLangChain4j {

  private DrawWithLangChain4j() {}

  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline = FluxPipeline.builder().model(arguments[0]).build()) {
      ImageModel model =
          UraeImageModel.builder()
              .pipeline(pipeline)
              .settings(request -> request.steps(4).seed(3))
              .strength(0.8)
              .build();
      Image first = model.generate(arguments[1]).content();
      Image second = model.edit(first, arguments[2]).content();
      Files.write(Path.of(arguments[3]), Base64.getDecoder().decode(second.base64Data()));
    }
  }
}
