package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;

/**
 * What the text encoders make of one or several prompts. Can be kept and used for any number of
 * generations with the same checkpoint.
 *
 * @param pooled CLIP's pooled embeddings, float32 [prompts, 768]
 * @param sequence T5's embeddings of every token, float32 [prompts, T, 4096]; T is at most 512
 *     (FLUX.1-dev)
 */
public record PromptEmbeddings(Tensor pooled, Tensor sequence) implements Prompts {

  /**
   * Checks that both are float32, of rank 2 and 3, for the same number of prompts, and finite.
   *
   * @param pooled as above
   * @param sequence as above
   */
  public PromptEmbeddings {
    boolean fits =
        pooled.type() == ElementType.F32
            && sequence.type() == ElementType.F32
            && pooled.shape().rank() == 2
            && sequence.shape().rank() == 3
            && pooled.shape().dimension(0) == sequence.shape().dimension(0)
            && pooled.shape().elementCount() > 0
            && sequence.shape().elementCount() > 0;
    if (!fits) {
      throw InvalidRequestException.of(
          "embeddings",
          "embeddings: expected float32 [prompts, width] and [prompts, tokens, width], found "
              + pooled.type()
              + pooled.shape()
              + " and "
              + sequence.type()
              + sequence.shape());
    }
    TensorContent.checkFinite("embeddings", "embeddings", pooled);
    TensorContent.checkFinite("embeddings", "embeddings", sequence);
  }

  @Override
  public int count() {
    return Math.toIntExact(pooled.shape().dimension(0));
  }

  @Override
  public PromptEmbeddings only(int index) {
    return count() == 1
        ? this
        : new PromptEmbeddings(
            TensorContent.row(pooled, index), TensorContent.row(sequence, index));
  }

  /** Tells whether shapes and all numbers are the same. */
  @Override
  public boolean equals(Object other) {
    return other instanceof PromptEmbeddings embeddings
        && TensorContent.equal(pooled, embeddings.pooled)
        && TensorContent.equal(sequence, embeddings.sequence);
  }

  @Override
  public int hashCode() {
    return 31 * TensorContent.hash(pooled) + TensorContent.hash(sequence);
  }
}
