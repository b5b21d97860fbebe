package io.github.urae.training.internal.loop;

import io.github.urae.flux.arithmetic.TorchGenerator;

/** The random numbers of one picture's turn. Its arrays are not copied, and not to be changed. */
final class PictureDraws {

  /** PyTorch's generator draws as many normal numbers at least. */
  private static final int FEWEST = 16;

  private final float[] posteriorNoise;
  private final float[] noise;
  private final float u;

  /**
   * Takes the numbers.
   *
   * @param posteriorNoise standard normal, for the sample of the autoencoder's posterior
   * @param noise standard normal, what is mixed into the picture
   * @param u stands for the noise level, in [0, 1]
   */
  PictureDraws(float[] posteriorNoise, float[] noise, float u) {
    this.posteriorNoise = posteriorNoise;
    this.noise = noise;
    this.u = u;
  }

  /**
   * Draws them. Each turn has a generator of its own, whose seed is made of the training's seed and
   * the number of the turn: so the state of a training's randomness is that number.
   *
   * @param seed the training's
   * @param turn pictures before this one, since the training began
   * @param count numbers of the picture's latents
   * @param levels makes u
   */
  static PictureDraws of(long seed, long turn, int count, NoiseLevels levels) {
    TorchGenerator generator = new TorchGenerator(Mixing.of(seed, Mixing.NOISE, turn));
    float[] posteriorNoise = generator.randn(count);
    float[] noise = generator.randn(count);
    float uniform = generator.rand(1)[0];
    float normal = generator.randn(FEWEST)[0];
    return new PictureDraws(posteriorNoise, noise, levels.distributed(uniform, normal));
  }

  float[] posteriorNoise() {
    return posteriorNoise;
  }

  float[] noise() {
    return noise;
  }

  float u() {
    return u;
  }
}
