package io.github.urae.training.internal.engine;

import io.github.urae.tensor.Tensor;
import java.util.Objects;

/**
 * What one picture of a step consists of: {@code loss = lossWeight * mean((prediction -
 * target)^2)}. Tensors are read while the step runs only, and may be of any element type that has a
 * conversion to float32.
 *
 * @param latents x_t = (1 - sigma) x_0 + sigma noise, packed: [rows * columns, 64]
 * @param rows height of the picture in tokens
 * @param columns width of the picture in tokens
 * @param sigma noise level, in (0, 1]; the timestep is 1000 times that
 * @param guidance the guidance that the transformer is told, finite; URAE trains with 1. Ignored
 *     where the transformer has no guidance embedding
 * @param text T5's embeddings: [L, 4096]
 * @param pooled CLIP's pooled embedding: [768]
 * @param target noise - x_0, packed as the latents are
 * @param lossWeight factor on the loss, at least 0; 1 unless a weighting scheme is asked for
 */
public record StepInputs(
    Tensor latents,
    int rows,
    int columns,
    double sigma,
    double guidance,
    Tensor text,
    Tensor pooled,
    Tensor target,
    double lossWeight) {

  /** Checks what does not depend on the model. */
  public StepInputs {
    Objects.requireNonNull(text, "text");
    Objects.requireNonNull(pooled, "pooled");
    if (rows < 1 || columns < 1) {
      throw new IllegalArgumentException(
          "expected a picture of at least one token, found " + rows + "x" + columns);
    }
    if (!latents.shape().equals(target.shape())) {
      throw new IllegalArgumentException(
          "latents " + latents.shape() + " and target " + target.shape() + " are of two shapes");
    }
    if (!(sigma > 0 && sigma <= 1)) {
      throw new IllegalArgumentException("sigma: expected above 0 to 1, found " + sigma);
    }
    if (!Double.isFinite(guidance)) {
      throw new IllegalArgumentException("guidance: expected a finite number, found " + guidance);
    }
    if (!(lossWeight >= 0) || Double.isInfinite(lossWeight)) {
      throw new IllegalArgumentException("loss weight: expected 0 or more, found " + lossWeight);
    }
  }

  /**
   * Tells whether two pictures can be computed at once.
   *
   * @param other another picture
   * @return whether both are of one size, and their captions of one length
   */
  public boolean isComputedWith(StepInputs other) {
    return rows == other.rows
        && columns == other.columns
        && text.shape().equals(other.text.shape());
  }

  /**
   * Returns the number of tokens that attention runs over.
   *
   * @return those of the text and of the picture
   */
  public long tokens() {
    return text.shape().dimension(0) + (long) rows * columns;
  }
}
