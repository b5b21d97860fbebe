package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.device.Device;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.Plane;
import io.github.urae.onnx.internal.image.TileBlender;
import io.github.urae.onnx.internal.image.TileLayout;
import io.github.urae.onnx.internal.image.VaeMemory;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VaeTilingTest {

  private static final VaeConfig SMALL =
      new VaeConfig(16, List.of(16, 32, 64, 64), 1, 8, 128, 0.7232, 0.0409);
  private static final VaeConfig FLUX_1 =
      new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.3611, 0.1159);

  /** The plane's own values in every tile: whatever is blended with itself stays as it is. */
  @ParameterizedTest
  @CsvSource({"8, 8", "9, 30", "16, 17", "21, 3", "12, 24", "13, 25", "1, 1", "40, 33"})
  void tilesOfOnePlaneMakeThatPlane(int height, int width) {
    TileLayout layout = new TileLayout(16, 12, 4);
    Plane plane = random(2, height, width, 1);
    Plane joined = new Plane(new float[2 * height * width], 2, height, width);
    TileBlender blender = new TileBlender(layout, layout.count(width), joined::put);
    for (int row = 0; row < layout.count(height); row++) {
      for (int column = 0; column < layout.count(width); column++) {
        blender.add(
            row,
            column,
            plane.part(
                layout.start(row),
                layout.start(column),
                layout.length(row, height),
                layout.length(column, width)));
      }
    }
    assertThat(TestData.relativeDifference(plane.values(), joined.values())).isLessThan(1e-6);
  }

  @Test
  void overlapsAreBlendedLinearlyDownwardsThenAcross() {
    float[] values = {1, 2, 4, 8};
    float[] joined = new float[36];
    Plane whole = new Plane(joined, 1, 6, 6);
    TileBlender blender = new TileBlender(new TileLayout(4, 2, 2), 2, whole::put);
    for (int i = 0; i < 4; i++) {
      blender.add(i / 2, i % 2, even(4, values[i]));
    }
    // Rows 0 and 1 of the lower tiles: all of the upper one, then half of each.
    assertThat(joined[whole.index(0, 2, 0)]).isEqualTo(1);
    assertThat(joined[whole.index(0, 3, 0)]).isEqualTo(2.5f);
    assertThat(joined[whole.index(0, 0, 3)]).isEqualTo(1.5f);
    // The upper right tile is blended with its left neighbour before the lower right one meets it.
    assertThat(joined[whole.index(0, 3, 3)]).isEqualTo((2.5f + (1.5f + 8) / 2) / 2);
  }

  private static Plane even(int side, float value) {
    float[] values = new float[side * side];
    Arrays.fill(values, value);
    return new Plane(values, 1, side, side);
  }

  private static Plane random(int channels, int height, int width, long seed) {
    int count = channels * height * width;
    float[] values = Arrays.copyOf(new TorchGenerator(seed).randn(Math.max(16, count)), count);
    return new Plane(values, channels, height, width);
  }

  @Test
  void tilesAreUsedWhereTheWholePictureIsTooMuch() {
    assertThat(TileLayout.ofLatents(FLUX_1)).isEqualTo(new TileLayout(128, 96, 32));
    assertThat(TileLayout.ofLatents(SMALL)).isEqualTo(new TileLayout(16, 12, 4));
    assertThat(inTiles(FLUX_1, 1024, VaeTiling.AUTO)).isFalse();
    assertThat(inTiles(FLUX_1, 2048, VaeTiling.AUTO)).isTrue();
    assertThat(inTiles(FLUX_1, 4096, VaeTiling.OFF)).isFalse();
    assertThat(inTiles(SMALL, 512, VaeTiling.AUTO)).isFalse();
    assertThat(inTiles(SMALL, 4096, VaeTiling.AUTO)).isTrue();
    assertThat(inTiles(SMALL, 128, VaeTiling.ON)).isFalse();
    assertThat(inTiles(SMALL, 144, VaeTiling.ON)).isTrue();
    LatentGrid large = new LatentGrid(Flux1.LATENTS, 4096, 4096);
    assertThat(VaeMemory.decoderBytes(FLUX_1, large, VaeTiling.AUTO))
        .isEqualTo(
            VaeMemory.decoderBytes(
                FLUX_1, new LatentGrid(Flux1.LATENTS, 1024, 1024), VaeTiling.OFF));
    assertThat(VaeMemory.encoderBytes(FLUX_1, large, VaeTiling.OFF))
        .isEqualTo(VaeMemory.decoderBytes(FLUX_1, large, VaeTiling.OFF) / 2);
  }

  private static boolean inTiles(VaeConfig config, int side, VaeTiling tiling) {
    return VaeMemory.decodesInTiles(config, side / 8, side / 8, tiling);
  }

  @Test
  void aPictureInTilesIsNearlyTheWholeOne() throws IOException {
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .build()) {
      GenerationRequest.Builder request =
          GenerationRequest.builder("a red circle on a blue background")
              .size(208, 160)
              .steps(4)
              .seed(3);
      GeneratedImage whole = pipeline.generate(request.build()).get(0);
      GeneratedImage tiled = pipeline.generate(request.vaeTiling(VaeTiling.ON).build()).get(0);
      assertThat(whole.record().decodedInTiles()).isFalse();
      assertThat(tiled.record().asText()).containsEntry("vae", "tiles");
      assertThat(meanDifference(whole.toBufferedImage(), tiled.toBufferedImage()))
          .isBetween(0.0001, 8.0);

      RgbImage start = whole.toRgbImage();
      GenerationRequest.Builder again = request.initialImage(start, 0.5).steps(2);
      BufferedImage fromTiles = pipeline.generate(again.build()).get(0).toBufferedImage();
      BufferedImage fromWhole =
          pipeline.generate(again.vaeTiling(VaeTiling.OFF).build()).get(0).toBufferedImage();
      assertThat(meanDifference(fromWhole, fromTiles)).isBetween(0.0001, 12.0);
    }
  }

  private static double meanDifference(BufferedImage a, BufferedImage b) {
    double sum = 0;
    for (int y = 0; y < a.getHeight(); y++) {
      for (int x = 0; x < a.getWidth(); x++) {
        for (int shift = 0; shift < 24; shift += 8) {
          sum += Math.abs((a.getRGB(x, y) >> shift & 0xFF) - (b.getRGB(x, y) >> shift & 0xFF));
        }
      }
    }
    return sum / (3.0 * a.getHeight() * a.getWidth());
  }
}
