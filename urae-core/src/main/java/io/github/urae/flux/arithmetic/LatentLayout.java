package io.github.urae.flux.arithmetic;

/**
 * What the latents of a family of models look like: how many channels an autoencoder makes of how
 * many pixels, and how many of its elements one token of the transformer holds.
 *
 * @param channels channels of the autoencoder's latents; 16 for FLUX.1
 * @param pixelsPerLatent pixels a side of one latent element; 8 for FLUX.1
 * @param patch latent elements a side of one token; 2 for FLUX.1
 */
public record LatentLayout(int channels, int pixelsPerLatent, int patch) {

  /**
   * Checks the numbers.
   *
   * @param channels positive
   * @param pixelsPerLatent positive
   * @param patch positive
   * @throws IllegalArgumentException if one of them is not positive
   */
  public LatentLayout {
    if (channels < 1 || pixelsPerLatent < 1 || patch < 1) {
      throw new IllegalArgumentException(
          "expected positive numbers, got " + channels + ", " + pixelsPerLatent + ", " + patch);
    }
  }

  /**
   * Returns the number of channels of a token.
   *
   * @return those of all latent elements of its patch; 64 for FLUX.1
   */
  public int packedChannels() {
    return channels * patch * patch;
  }

  /**
   * Returns the pixels a side of one token, of which a picture's sides are multiples.
   *
   * @return 16 for FLUX.1
   */
  public int pixelsPerToken() {
    return pixelsPerLatent * patch;
  }
}
