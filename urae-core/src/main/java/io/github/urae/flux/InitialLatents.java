package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;

/**
 * Noise that is given instead of drawn from a seed.
 *
 * @param latents packed, float32 [images, tokens, 64]; prompts vary slowest
 */
public record InitialLatents(Tensor latents) implements Start {

  /**
   * Checks type, rank and that all numbers are finite.
   *
   * @param latents as above
   */
  public InitialLatents {
    if (latents.type() != ElementType.F32 || latents.shape().rank() != 3) {
      throw InvalidRequestException.of(
          "start.latents",
          "latents: expected float32 [images, tokens, 64], found "
              + latents.type()
              + latents.shape());
    }
    TensorContent.checkFinite("start.latents", "latents", latents);
  }

  @Override
  public double strength() {
    return 1;
  }

  /** Tells whether shape and all numbers are the same. */
  @Override
  public boolean equals(Object other) {
    return other instanceof InitialLatents start && TensorContent.equal(latents, start.latents);
  }

  @Override
  public int hashCode() {
    return TensorContent.hash(latents);
  }
}
