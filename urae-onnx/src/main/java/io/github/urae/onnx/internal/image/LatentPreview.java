package io.github.urae.onnx.internal.image;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.PreviewFactors;
import io.github.urae.image.RgbImage;

/** Colours of a picture by a linear map from its latents, one pixel for each latent element. */
public record LatentPreview(PreviewFactors factors) {

  /**
   * Computes a preview.
   *
   * @param packed latents of one picture, [1, tokens, packed channels]
   * @return as wide and high as the latents
   */
  public RgbImage preview(LatentGrid grid, float[] packed) {
    float[] latents = grid.unpack(packed);
    int count = grid.latentHeight() * grid.latentWidth();
    int channels = grid.layout().channels();
    float[][] ofColours = new float[3][channels];
    for (int colour = 0; colour < 3; colour++) {
      for (int channel = 0; channel < channels; channel++) {
        ofColours[colour][channel] = factors.factor(channel, colour);
      }
    }
    int[] pixels = new int[count];
    for (int i = 0; i < count; i++) {
      int pixel = 0;
      for (int colour = 0; colour < 3; colour++) {
        float value = factors.constant(colour);
        for (int channel = 0; channel < channels; channel++) {
          value += ofColours[colour][channel] * latents[channel * count + i];
        }
        pixel = pixel << 8 | ImageDecoder.level(value);
      }
      pixels[i] = pixel;
    }
    return RgbImage.wrap(grid.latentWidth(), grid.latentHeight(), pixels);
  }
}
