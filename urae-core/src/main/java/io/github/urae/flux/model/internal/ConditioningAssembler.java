package io.github.urae.flux.model.internal;

import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.tensor.Tensor;
import java.util.Map;

/**
 * Makes the transformer's inputs of latents and what these are drawn from: the one place that knows
 * in which way a model takes its conditions. It may add channels to the latents' tokens (a mask, a
 * control picture), tokens with positions of their own after them (a reference picture), or tokens
 * after the text's.
 *
 * <p>What comes from elsewhere than the text belongs to the assembler, which is then made for one
 * generation. Immutable and thread-safe.
 */
public interface ConditioningAssembler {

  /**
   * Returns the positions of all tokens that the transformer will see.
   *
   * @param grid the picture's tokens
   * @param textTokens number of the text's tokens
   * @return text first, the picture's tokens after it, others last
   */
  TokenPositions positions(LatentGrid grid, int textTokens);

  /**
   * Assembles the inputs of a step, without time, guidance and positions.
   *
   * @param grid the picture's tokens, I
   * @param latents packed, [B, I, packed channels]; unchanged
   * @param text embeddings of B prompts
   * @return float32 by diffusers' names: {@code hidden_states}, {@code encoder_hidden_states} and
   *     {@code pooled_projections}
   */
  Map<String, Tensor> inputs(LatentGrid grid, float[] latents, PromptEmbeddings text);

  /**
   * Takes the velocity of the latents out of the transformer's output.
   *
   * @param grid the picture's tokens, I
   * @param output for all image tokens, [B, tokens, packed channels]
   * @return [B, I, packed channels]; the same array where there are no other tokens
   */
  float[] velocity(LatentGrid grid, float[] output);
}
