package org.example.modular;

import io.github.urae.demo.DemoModel;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
import java.nio.file.Path;

class DrawAdapted {

  static GeneratedImage draw(Path folder) throws IOException {
    DemoModel demo = DemoModel.unpackInto(folder);
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(demo.checkpoint())
            .adapter(demo.adapter2k())
            .adapter(demo.adapter4k())
            .build()) {
      return pipeline.generate("desert dunes at sunset", 128, 128);
    }
  }
}
