package org.example.modular;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.urae.flux.GeneratedImage;
import io.github.urae.pipeline.FluxPipeline;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class DrawAdaptedTest {

  /** Minor components need OpenBLAS, whose module is found as a service. */
  @Test
  void drawsOnTheModulePath() throws Exception {
    assertTrue(FluxPipeline.class.getModule().isNamed());
    GeneratedImage image = DrawAdapted.draw(Path.of("target").toAbsolutePath());
    assertEquals(128, image.toBufferedImage().getWidth());
  }
}
