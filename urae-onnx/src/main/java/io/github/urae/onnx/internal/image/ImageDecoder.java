package io.github.urae.onnx.internal.image;

import io.github.urae.CancellationToken;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.onnx.internal.session.FiniteResults;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import java.util.Map;

/**
 * Latents to pixels. Owns nothing.
 *
 * @param afterRun called after each run of the network, one for each tile
 */
public record ImageDecoder(NetworkUse decoder, VaeConfig config, Runnable afterRun) {

  /** Tells nobody of its runs. */
  public ImageDecoder(NetworkUse decoder, VaeConfig config) {
    this(decoder, config, () -> {});
  }

  /**
   * Decodes one picture.
   *
   * @param packed latents [1, tokens, packed channels]; unchanged
   * @param tiling whether to do so tile by tile
   * @return pixels as 0xRRGGBB, row by row
   */
  public int[] decode(
      LatentGrid grid, float[] packed, VaeTiling tiling, CancellationToken cancellation) {
    Plane latents = latents(grid, packed);
    int[] pixels = new int[Math.multiplyExact(grid.height(), grid.width())];
    if (VaeMemory.decodesInTiles(config, latents.height(), latents.width(), tiling)) {
      decodeTiles(
          latents,
          cancellation,
          (tile, top, left, height, width) ->
              writePixels(tile, height, width, pixels, top * grid.width() + left, grid.width()));
    } else {
      Plane whole = decode(latents, cancellation);
      writePixels(whole, grid.height(), grid.width(), pixels, 0, grid.width());
    }
    return pixels;
  }

  /** Undoes packing, scaling and shift. */
  private Plane latents(LatentGrid grid, float[] packed) {
    float[] latents = grid.unpack(packed);
    float scaling = (float) config.scalingFactor();
    float shift = (float) config.shiftFactor();
    for (int i = 0; i < latents.length; i++) {
      latents[i] = latents[i] / scaling + shift;
    }
    return new Plane(latents, config.latentChannels(), grid.latentHeight(), grid.latentWidth());
  }

  /** Runs the decoder on latents without scaling and shift; returns [3, H, W], about -1 to 1. */
  Plane decode(Plane latents, CancellationToken cancellation) {
    Tensor input =
        Tensor.ofFloats(
            latents.values(), 1, config.latentChannels(), latents.height(), latents.width());
    float[] sample =
        FiniteResults.checked(
            decoder.run(Map.of("latent_sample", input), cancellation),
            found ->
                "the autoencoder makes no picture of the latents, "
                    + found
                    + "; likely causes: its weights are"
                    + " damaged, or guidance or an adapter's scale so large that latents leave its"
                    + " range");
    afterRun.run();
    return new Plane(
        sample,
        3,
        latents.height() * config.pixelsPerLatent(),
        latents.width() * config.pixelsPerLatent());
  }

  /** The same tile by tile, in memory that does not grow with the picture. */
  public void decodeTiles(Plane latents, CancellationToken cancellation, TileBlender.Sink sink) {
    TileLayout layout = TileLayout.ofLatents(config);
    int rows = layout.count(latents.height());
    int columns = layout.count(latents.width());
    TileBlender blender = new TileBlender(layout.times(config.pixelsPerLatent()), columns, sink);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < columns; column++) {
        Plane tile =
            latents.part(
                layout.start(row),
                layout.start(column),
                layout.length(row, latents.height()),
                layout.length(column, latents.width()));
        blender.add(row, column, decode(tile, cancellation));
      }
    }
  }

  /** Rounds values in -1 to 1 to 8 bits, half to even, as NumPy does. */
  private static void writePixels(
      Plane sample, int height, int width, int[] pixels, int first, int stride) {
    for (int row = 0; row < height; row++) {
      int red = sample.index(0, row, 0);
      int green = sample.index(1, row, 0);
      int blue = sample.index(2, row, 0);
      int target = first + row * stride;
      for (int column = 0; column < width; column++) {
        pixels[target + column] =
            level(sample.values()[red + column]) << 16
                | level(sample.values()[green + column]) << 8
                | level(sample.values()[blue + column]);
      }
    }
  }

  /** Rounds a value in -1 to 1 to 8 bits. */
  static int level(float value) {
    float scaled = value / 2 + 0.5f;
    float clamped = scaled > 0 ? (scaled < 1 ? scaled : 1) : 0;
    return (int) Math.rint(clamped * 255f);
  }
}
