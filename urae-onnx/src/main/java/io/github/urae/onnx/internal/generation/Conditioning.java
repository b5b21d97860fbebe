package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.PromptEmbeddings;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * What a picture is guided towards, and what away from.
 *
 * @param prompt the prompts' embeddings
 * @param negative the negative prompts', as many; empty without true guidance
 * @param scale of true guidance
 */
public record Conditioning(
    PromptEmbeddings prompt, Optional<PromptEmbeddings> negative, double scale) {

  public static Conditioning of(PromptEmbeddings prompt) {
    return new Conditioning(prompt, Optional.empty(), 1);
  }

  /** Returns the same with both embeddings changed. */
  Conditioning map(UnaryOperator<PromptEmbeddings> change) {
    return new Conditioning(change.apply(prompt), negative.map(change), scale);
  }

  /** Returns the number of pictures that it is for. */
  int count() {
    return prompt.count();
  }
}
