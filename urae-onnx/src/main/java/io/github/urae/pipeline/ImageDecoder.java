package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.flux.LatentGrid;
import io.github.urae.graph.VaeConfig;
import io.github.urae.tensor.Tensor;
import java.util.Map;

/** Latents to pixels. Owns nothing. */
record ImageDecoder(NetworkUse decoder, VaeConfig config) {

  /**
   * Decodes one picture.
   *
   * @param packed latents [1, tokens, 64]; unchanged
   * @return pixels as 0xRRGGBB, row by row
   */
  int[] decode(LatentGrid grid, float[] packed, CancellationToken cancellation) {
    float[] latents = grid.unpack(packed);
    float scaling = (float) config.scalingFactor();
    float shift = (float) config.shiftFactor();
    for (int i = 0; i < latents.length; i++) {
      latents[i] = latents[i] / scaling + shift;
    }
    Tensor input =
        Tensor.ofFloats(latents, 1, LatentGrid.CHANNELS, grid.latentHeight(), grid.latentWidth());
    return toPixels(decoder.run(Map.of("latent_sample", input), cancellation));
  }

  /** Rounds [3, H, W] in -1 to 1 to 8 bits, half to even, as NumPy does. */
  static int[] toPixels(float[] sample) {
    int count = sample.length / 3;
    int[] pixels = new int[count];
    for (int i = 0; i < count; i++) {
      pixels[i] =
          level(sample[i]) << 16 | level(sample[count + i]) << 8 | level(sample[2 * count + i]);
    }
    return pixels;
  }

  private static int level(float value) {
    float scaled = value / 2 + 0.5f;
    // Written so that NaN becomes black.
    float clamped = scaled > 0 ? (scaled < 1 ? scaled : 1) : 0;
    return (int) Math.rint(clamped * 255f);
  }
}
