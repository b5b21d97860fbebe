package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.tokenizer.Tokenizer;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;

/**
 * Prompts to embeddings: CLIP for the pooled one, T5 for the sequence. One prompt at a time, so
 * that memory does not grow with their number. Owns nothing.
 */
public record TextEncoders(
    Tokenizer clipTokenizer,
    Loader clip,
    ClipTextConfig clipConfig,
    Tokenizer t5Tokenizer,
    Loader t5,
    T5Config t5Config) {

  /** Loads a network unless it is loaded; whoever calls it closes the use. */
  @FunctionalInterface
  public interface Loader {
    NetworkUse use() throws IOException;
  }

  /**
   * Encodes prompts.
   *
   * @param clipPrompts read by CLIP
   * @param t5Prompts read by T5, as many
   * @param textTokens number of T5's tokens
   */
  public PromptEmbeddings encode(
      List<String> clipPrompts,
      List<String> t5Prompts,
      int textTokens,
      CancellationToken cancellation)
      throws IOException {
    int count = clipPrompts.size();
    float[] pooled = new float[count * clipConfig.width()];
    float[] sequence = new float[Math.multiplyExact(count * textTokens, t5Config.width())];
    // One network after the other, so that not both need be in memory.
    try (NetworkUse open = clip.use()) {
      for (int i = 0; i < count; i++) {
        long[] ids = clipTokenizer.encode(clipPrompts.get(i), clipConfig.positions());
        Map<String, Tensor> inputs = Map.of("input_ids", ofLongs(ids, 1, ids.length));
        copy(open.run(inputs, cancellation), pooled, i);
      }
    }
    Tensor buckets = ofLongs(t5Config.relativePositionBuckets(textTokens), textTokens, textTokens);
    try (NetworkUse open = t5.use()) {
      for (int i = 0; i < count; i++) {
        long[] ids = t5Tokenizer.encode(t5Prompts.get(i), textTokens);
        Map<String, Tensor> inputs =
            Map.of("input_ids", ofLongs(ids, 1, textTokens), "relative_buckets", buckets);
        copy(open.run(inputs, cancellation), sequence, i);
      }
    }
    return new PromptEmbeddings(
        Tensor.ofFloats(pooled, count, clipConfig.width()),
        Tensor.ofFloats(sequence, count, textTokens, t5Config.width()));
  }

  private static void copy(float[] one, float[] all, int index) {
    System.arraycopy(one, 0, all, index * one.length, one.length);
  }

  private static Tensor ofLongs(long[] values, long... dimensions) {
    ByteBuffer data =
        ByteBuffer.allocateDirect(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    data.asLongBuffer().put(values);
    return Tensor.view(ElementType.I64, Shape.of(dimensions), data, "token ids");
  }
}
