package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.TestData;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.session.Device;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Networks that are loaded when they are needed draw what networks that stay loaded draw. */
class ResidencyTest {

  private static FluxPipeline open(Residency residency) throws IOException {
    return FluxPipeline.builder()
        .model(TestData.demo().checkpoint())
        .adapter(TestData.demo().adapter2k())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE)
        .residency(residency)
        .build();
  }

  @Test
  void everyResidencyDrawsTheSame() throws IOException {
    GenerationRequest request =
        GenerationRequest.builder(List.of("a red circle", "a star"))
            .size(96, 64)
            .steps(2)
            .seed(3)
            .imagesPerPrompt(2)
            .build();
    List<List<float[]>> latents = new ArrayList<>();
    List<List<Integer>> pixels = new ArrayList<>();
    for (Residency residency : Residency.values()) {
      try (FluxPipeline pipeline = open(residency)) {
        List<GeneratedImage> images = pipeline.generate(request);
        latents.add(images.stream().map(image -> image.latents().toFloats()).toList());
        pixels.add(images.stream().map(image -> image.toBufferedImage().getRGB(50, 30)).toList());
      }
    }
    for (int i = 1; i < latents.size(); i++) {
      for (int image = 0; image < 4; image++) {
        assertThat(latents.get(i).get(image)).isEqualTo(latents.get(0).get(image));
      }
      assertThat(pixels.get(i)).isEqualTo(pixels.get(0));
    }
  }

  @Test
  void networksStayLoadedOrDoNot() throws IOException {
    for (Residency residency : Residency.values()) {
      try (FluxPipeline pipeline = open(residency);
          Shared.Lease<Networks> networks = pipeline.lease()) {
        NetworkUse first = networks.get().use(Part.TRANSFORMER);
        NetworkUse second = networks.get().use(Part.TRANSFORMER);
        assertThat(second.network()).isSameAs(first.network());
        first.close();
        first.close();
        second.close();
        try (NetworkUse later = networks.get().use(Part.TRANSFORMER)) {
          assertThat(later.network() == first.network()).isEqualTo(residency == Residency.ALL);
        }
      }
    }
  }
}
