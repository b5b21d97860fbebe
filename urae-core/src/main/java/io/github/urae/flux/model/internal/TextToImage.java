package io.github.urae.flux.model.internal;

import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.tensor.Tensor;
import java.util.Map;

/** Latents and text as they are. */
public final class TextToImage implements ConditioningAssembler {

  /** Has no state. */
  public TextToImage() {}

  @Override
  public TokenPositions positions(LatentGrid grid, int textTokens) {
    return TokenPositions.of(textTokens, grid);
  }

  @Override
  public Map<String, Tensor> inputs(LatentGrid grid, float[] latents, PromptEmbeddings text) {
    Tensor tokens =
        Tensor.ofFloats(latents, text.count(), grid.tokens(), grid.layout().packedChannels());
    return Map.of(
        "hidden_states", tokens,
        "encoder_hidden_states", text.sequence(),
        "pooled_projections", text.pooled());
  }

  @Override
  public float[] velocity(LatentGrid grid, float[] output) {
    return output;
  }
}
