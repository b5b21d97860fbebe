package io.github.urae.flux;

import io.github.urae.image.RgbImage;
import io.github.urae.tensor.Tensor;
import java.util.List;

/** A denoising step that has just been done. Immutable; holds on to the latents of its batch. */
public interface DenoisingStep {

  /**
   * Returns the number of the step, over all batches and passes.
   *
   * @return 1 to {@link #steps()}
   */
  int step();

  /**
   * Returns how many steps there are, over all batches and passes.
   *
   * @return at least 1
   */
  int steps();

  /**
   * Returns where in the noise schedule of its pass the step began.
   *
   * @return from 0; with a start image or in the second pass of coarse to fine, 0 is the first step
   *     that runs
   */
  int index();

  /**
   * Tells whether the step belongs to the draft of a coarse-to-fine generation, whose latents are
   * smaller than the picture's.
   *
   * @return false for all others
   */
  boolean ofDraft();

  /**
   * Returns the noise level that the step started from.
   *
   * @return sigma in (0, 1]; other numbers only where the checkpoint's scheduler inverts its levels
   */
  double sigma();

  /**
   * Returns the noise level that the step reached.
   *
   * @return sigma in [0, 1)
   */
  double nextSigma();

  /**
   * Returns which image is the first of the batch.
   *
   * @return index among all images of the request, from 0
   */
  int firstImage();

  /**
   * Returns the latents after the step.
   *
   * @return packed, float32 [images of the batch, tokens, 64]; made anew, so the caller may keep it
   */
  Tensor latents();

  /**
   * Computes what the pictures will look like as far as this step can tell: a linear map from the
   * latents without their remaining noise to colours, an eighth as wide and high as the pictures.
   * Costs nothing unless called, and then some milliseconds.
   *
   * @return one picture for each image of the batch; none where the autoencoder is neither FLUX.1's
   *     nor the bundled checkpoint's
   */
  List<RgbImage> previews();

  /**
   * Cancels this call of {@code generate}, and no other of the same token: it ends with a {@link
   * io.github.urae.GenerationCancelledException} at once.
   */
  void cancel();
}
