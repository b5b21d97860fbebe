package io.github.urae.training.internal.data;

import io.github.urae.tensor.Tensor;

/**
 * What a step needs of a picture, in memory, in the element types of its files.
 *
 * @param example which picture
 * @param caption which of its captions
 * @param mean means of the latents, [C, h, w], neither shifted nor scaled
 * @param deviation their standard deviations, of the same shape
 * @param sequence T5's embeddings, [T, width]
 * @param pooled CLIP's embedding, [width]
 */
public record LoadedExample(
    CachedExample example,
    CaptionKind caption,
    Tensor mean,
    Tensor deviation,
    Tensor sequence,
    Tensor pooled) {

  /**
   * Draws latents: {@code (mean + deviation * noise - shift) * scaling}, each operation rounded to
   * float32, in the order of URAE's scripts.
   *
   * @param noise standard normal numbers, as many as there are means
   * @param shift the autoencoder's {@code shift_factor}
   * @param scaling the autoencoder's {@code scaling_factor}
   * @return [C, h, w], row-major
   */
  public float[] sample(float[] noise, double shift, double scaling) {
    float[] latents = mean.toFloats();
    float[] deviations = deviation.toFloats();
    float subtracted = (float) shift;
    float factor = (float) scaling;
    for (int i = 0; i < latents.length; i++) {
      latents[i] = (latents[i] + deviations[i] * noise[i] - subtracted) * factor;
    }
    return latents;
  }
}
