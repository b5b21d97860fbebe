package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;

/**
 * What the autoencoder's encoder makes of a picture: a normal distribution for each latent element,
 * neither shifted nor scaled. A latent picture is drawn from it anew for each training step.
 *
 * @param mean float32 [C, h, w]; for FLUX.1 [16, H/8, W/8]
 * @param deviation standard deviations, float32 of the same shape, positive
 */
public record LatentPosterior(Tensor mean, Tensor deviation) {

  /**
   * Checks that both are float32 of one shape of rank 3, and finite.
   *
   * @param mean as above
   * @param deviation as above
   */
  public LatentPosterior {
    boolean fits =
        mean.type() == ElementType.F32
            && deviation.type() == ElementType.F32
            && mean.shape().rank() == 3
            && mean.shape().equals(deviation.shape())
            && mean.shape().elementCount() > 0;
    if (!fits) {
      throw new InvalidRequestException(
          "latents: expected means and deviations, float32 [channels, rows, columns], found "
              + mean.type()
              + mean.shape()
              + " and "
              + deviation.type()
              + deviation.shape());
    }
    TensorContent.checkFinite("latents", "latents", mean);
    TensorContent.checkFinite("latents", "latents", deviation);
  }

  /**
   * Draws latents: {@code (mean + deviation * noise - shift) * scaling}, in float32 and in this
   * order, as URAE's scripts and diffusers do.
   *
   * @param noise standard normal numbers, as many as {@link #mean} has elements
   * @param shift the autoencoder's {@code shift_factor}; 0.1159 for FLUX.1
   * @param scaling the autoencoder's {@code scaling_factor}; 0.3611 for FLUX.1
   * @return [C, h, w], row-major
   * @throws IllegalArgumentException if there are more or fewer numbers
   */
  public float[] sample(float[] noise, double shift, double scaling) {
    float[] latents = mean.toFloats();
    if (noise.length != latents.length) {
      throw new IllegalArgumentException(
          "expected " + latents.length + " numbers, got " + noise.length);
    }
    float[] deviations = deviation.toFloats();
    float subtracted = (float) shift;
    float factor = (float) scaling;
    for (int i = 0; i < latents.length; i++) {
      latents[i] = (latents[i] + deviations[i] * noise[i] - subtracted) * factor;
    }
    return latents;
  }

  /** Tells whether shapes and all numbers are the same. */
  @Override
  public boolean equals(Object other) {
    return other instanceof LatentPosterior posterior
        && TensorContent.equal(mean, posterior.mean)
        && TensorContent.equal(deviation, posterior.deviation);
  }

  @Override
  public int hashCode() {
    return 31 * TensorContent.hash(mean) + TensorContent.hash(deviation);
  }
}
