package io.github.urae.training.internal.torch;

import org.bytedeco.pytorch.Tensor;

/**
 * What the transformer reads, of pictures of one size and length of text. Tensors belong to whoever
 * made them.
 *
 * @param latents x_t, [pictures, image tokens, 64]
 * @param text T5's embeddings, [pictures, L, 4096]
 * @param embedding of timestep, guidance and CLIP's pooled text: [pictures, width]
 * @param rotary the turn of each pair of head channels, as complex numbers: [tokens, 1, headDim /
 *     2]
 */
record NetworkInputs(Tensor latents, Tensor text, Tensor embedding, Tensor rotary) {

  /** Returns the number of text tokens. */
  long textTokens() {
    return text.size(1);
  }
}
