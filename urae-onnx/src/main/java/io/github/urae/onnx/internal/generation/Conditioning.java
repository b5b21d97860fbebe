package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.tensor.Tensor;
import java.util.Optional;

/**
 * What pictures are guided towards, and what away from.
 *
 * @param prompt the prompts' embeddings
 * @param negative the negative prompts', as many or one for all; empty without true guidance
 * @param scale of true guidance
 */
public record Conditioning(
    PromptEmbeddings prompt, Optional<PromptEmbeddings> negative, double scale) {

  public static Conditioning of(PromptEmbeddings prompt) {
    return new Conditioning(prompt, Optional.empty(), 1);
  }

  /**
   * Takes embeddings of prompts, and of negative prompts after them.
   *
   * @param prompts how many prompts there are; where that is all, nothing is guided away from
   */
  static Conditioning of(PromptEmbeddings all, int prompts, double scale) {
    int negative = all.count() - prompts;
    return negative == 0
        ? new Conditioning(all, Optional.empty(), scale)
        : new Conditioning(
            embeddingsOf(all, 0, prompts, 1),
            Optional.of(embeddingsOf(all, prompts, negative, 1)),
            scale);
  }

  /**
   * Returns what a range of images is guided by, each prompt repeated for each of its images.
   *
   * @param imagesPerPrompt prompts vary slowest
   */
  Conditioning ofImages(int first, int count, int imagesPerPrompt) {
    return new Conditioning(
        embeddingsOf(prompt, first, count, imagesPerPrompt),
        negative.map(away -> embeddingsOf(away, first, count, imagesPerPrompt)),
        scale);
  }

  private static PromptEmbeddings embeddingsOf(
      PromptEmbeddings prompts, int first, int count, int imagesPerPrompt) {
    return new PromptEmbeddings(
        rowsOf(prompts.pooled(), first, count, imagesPerPrompt),
        rowsOf(prompts.sequence(), first, count, imagesPerPrompt));
  }

  /** One row is for all images. */
  private static Tensor rowsOf(Tensor prompts, int first, int count, int imagesPerPrompt) {
    long[] dimensions = prompts.shape().toArray();
    int row = Math.toIntExact(prompts.shape().elementCount() / dimensions[0]);
    float[] rows = new float[Math.multiplyExact(count, row)];
    for (int i = 0; i < count; i++) {
      int prompt = dimensions[0] == 1 ? 0 : (first + i) / imagesPerPrompt;
      prompts.toFloats((long) prompt * row, rows, i * row, row);
    }
    dimensions[0] = count;
    return Tensor.ofFloats(rows, dimensions);
  }
}
