package io.github.urae.training.internal.loop;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.training.internal.data.LoadedExample;
import io.github.urae.training.internal.engine.StepInputs;

/**
 * Makes what a step takes of a picture and its random numbers, in float32 and in the order of
 * operations of URAE's scripts: {@code x_0 = (mean + std e - shift) scaling}, {@code x_t = (1 -
 * sigma) x_0 + sigma n}, and the target {@code n - x_0}.
 *
 * @param layout how latents are packed into tokens
 * @param latentShift the autoencoder's {@code shift_factor}
 * @param latentScaling the autoencoder's {@code scaling_factor}
 * @param levels noise levels
 * @param guidance what the transformer is told; 1 in URAE
 */
public record StepMaker(
    LatentLayout layout,
    double latentShift,
    double latentScaling,
    NoiseLevels levels,
    double guidance) {

  /** Makes the inputs of a picture's turn. */
  StepInputs make(LoadedExample picture, PictureDraws draws) {
    return make(picture, draws.posteriorNoise(), draws.noise(), levels.sigma(draws.u()));
  }

  /**
   * Makes the inputs for a noise level.
   *
   * @param picture its tensors
   * @param posteriorNoise standard normal, as many as latents
   * @param noise standard normal, as many as latents
   * @param sigma above 0, at most 1
   * @return the inputs
   */
  public StepInputs make(
      LoadedExample picture, float[] posteriorNoise, float[] noise, float sigma) {
    Shape shape = picture.mean().shape();
    LatentGrid grid =
        new LatentGrid(
            layout,
            Math.toIntExact(shape.dimension(2) * layout.pixelsPerLatent()),
            Math.toIntExact(shape.dimension(1) * layout.pixelsPerLatent()));
    float[] clean = picture.sample(posteriorNoise, latentShift, latentScaling);
    float[] noisy = new float[clean.length];
    float[] target = new float[clean.length];
    for (int i = 0; i < clean.length; i++) {
      noisy[i] = (1 - sigma) * clean[i] + sigma * noise[i];
      target[i] = noise[i] - clean[i];
    }
    return new StepInputs(
        packed(grid, noisy),
        grid.rows(),
        grid.columns(),
        sigma,
        guidance,
        picture.sequence(),
        picture.pooled(),
        packed(grid, target),
        levels.lossWeight(sigma));
  }

  private Tensor packed(LatentGrid grid, float[] latents) {
    return Tensor.ofFloats(grid.pack(latents), grid.tokens(), layout.packedChannels());
  }
}
