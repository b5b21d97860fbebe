package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InvalidRequestException;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.device.Device;
import io.github.urae.flux.LatentPosterior;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.image.ResizeFilter;
import io.github.urae.image.RgbImage;
import io.github.urae.tensor.Shape;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Pictures to distributions of latents, as URAE's cache script makes them. */
class PictureEncodingTest {

  private static final Path DATA = TestData.path("training/data");

  private static FluxPipeline pipeline;

  @BeforeAll
  static void open() throws IOException {
    pipeline =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .build();
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static RgbImage picture(String name, int width, int height) throws IOException {
    return RgbImage.read(DATA.resolve(name + ".jpg")).resized(width, height, ResizeFilter.BICUBIC);
  }

  @Test
  void encodesAsTheReferenceDoes() throws IOException {
    int[][] sizes = {{192, 192}, {192, 144}, {96, 192}};
    for (int i = 0; i < 3; i++) {
      String name = "image_" + i;
      LatentPosterior found =
          pipeline.encode(picture(name, sizes[i][0], sizes[i][1]), VaeTiling.OFF, RunOptions.NONE);
      try (SafetensorsFile golden =
          SafetensorsFile.open(DATA.resolve(name + "_latent_code.safetensors"))) {
        assertThat(found.mean().shape()).isEqualTo(golden.tensor("mean").shape());
        TestData.assertClose(
            name + " mean", golden.tensor("mean").toFloats(), found.mean().toFloats(), 2e-5);
        TestData.assertClose(
            name + " std", golden.tensor("std").toFloats(), found.deviation().toFloats(), 2e-5);
      }
    }
  }

  @Test
  void drawsLatentsInTheReferencesOrder() throws IOException {
    LatentPosterior posterior =
        pipeline.encode(picture("image_2", 96, 192), VaeTiling.OFF, RunOptions.NONE);
    float[] noise = new TorchGenerator(7).randn(16 * 24 * 12);
    float[] latents = posterior.sample(noise, 0.1159, 0.3611);
    int last = latents.length - 1;
    float mean = posterior.mean().toFloats()[last];
    float deviation = posterior.deviation().toFloats()[last];
    assertThat(latents[last]).isEqualTo((mean + deviation * noise[last] - 0.1159f) * 0.3611f);
    assertThatThrownBy(() -> posterior.sample(new float[3], 0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected 4608 numbers, got 3");
  }

  @Test
  void worksInTilesAndTellsOfThem() throws IOException {
    List<StageProgress> told = new ArrayList<>();
    RunOptions options = RunOptions.builder().listener(told::add).build();
    LatentPosterior tiled = pipeline.encode(picture("image_0", 192, 192), VaeTiling.ON, options);
    assertThat(tiled.mean().shape()).isEqualTo(Shape.of(16, 24, 24));
    StageProgress last = told.get(told.size() - 1);
    assertThat(last.stage()).isEqualTo(Stage.ENCODING_IMAGE);
    assertThat(last.unit()).isEqualTo(StageProgress.Unit.TILES);
    assertThat(last.isComplete()).isTrue();
  }

  @Test
  void oddSizesAndCancelledCallsEnd() throws IOException {
    RgbImage odd = picture("image_0", 40, 32);
    assertThatThrownBy(() -> pipeline.encode(odd, VaeTiling.AUTO, RunOptions.NONE))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("width: expected a positive multiple of 16 pixels, found 40");
    CancellationToken cancelled = new CancellationToken();
    cancelled.cancel();
    RunOptions options = RunOptions.builder().cancellation(cancelled).build();
    RgbImage picture = picture("image_0", 32, 32);
    assertThatThrownBy(() -> pipeline.encode(picture, VaeTiling.AUTO, options))
        .isInstanceOf(GenerationCancelledException.class);
  }

  @Test
  void networksAreToldApart() {
    String encoder = pipeline.fingerprint(Component.VAE_ENCODER);
    assertThat(encoder)
        .matches("[0-9a-f]{40}")
        .isEqualTo(pipeline.fingerprint(Component.VAE_ENCODER))
        .isNotEqualTo(pipeline.fingerprint(Component.VAE_DECODER))
        .isNotEqualTo(pipeline.fingerprint(Component.TEXT_ENCODER))
        .isNotEqualTo(pipeline.fingerprint(Component.TEXT_ENCODER_2));
    assertThatThrownBy(() -> pipeline.fingerprint(Component.TOKENIZER))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
