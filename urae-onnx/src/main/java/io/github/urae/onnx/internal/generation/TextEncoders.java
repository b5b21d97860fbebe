package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.ModelException;
import io.github.urae.Stage;
import io.github.urae.StageProgress.Unit;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.TruncatedPrompt;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.internal.PrintableText;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.FiniteResults;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.tokenizer.Tokenizer;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Prompts to embeddings: CLIP for the pooled one, T5 for the sequence. One prompt at a time, so
 * that memory does not grow with their number. Owns nothing.
 */
public final class TextEncoders {

  private static final Logger LOG = LoggerFactory.getLogger(TextEncoders.class);

  private final Networks networks;
  private final NetworkCosts costs;
  private final ClipTextConfig clip;
  private final T5Config t5;

  private TextEncoders(Networks networks) {
    this.networks = networks;
    this.costs = Planner.of(networks).costs();
    this.clip = networks.checkpoint().clip();
    this.t5 = networks.checkpoint().t5();
  }

  /** Takes the text encoders of a model; loads none. */
  public static TextEncoders of(Networks networks) {
    return new TextEncoders(networks);
  }

  /** Encodes prompts that CLIP and T5 both read, for their own sake. */
  public PromptEmbeddings encode(
      List<String> prompts,
      OptionalInt textTokens,
      RunOptions options,
      CancellationToken cancellation,
      WorkRates rates)
      throws IOException {
    return encode(
        prompts,
        prompts,
        SettledRequest.textTokens(networks, textTokens),
        cancellation,
        new GenerationProgress(options.listener(), rates, System::nanoTime, List.of()),
        options.onTruncatedPrompt());
  }

  /**
   * Encodes prompts.
   *
   * @param clipPrompts read by CLIP
   * @param t5Prompts read by T5, as many
   * @param textTokens number of T5's tokens
   * @param truncated told of prompts that are read in part
   */
  PromptEmbeddings encode(
      List<String> clipPrompts,
      List<String> t5Prompts,
      int textTokens,
      CancellationToken cancellation,
      GenerationProgress progress,
      Consumer<TruncatedPrompt> truncated)
      throws IOException {
    Encoder clipEncoder =
        new Encoder(
            Component.TEXT_ENCODER,
            networks.clipTokenizer(),
            clip.positions(),
            clip.vocabulary(),
            costs.clipFlops());
    Encoder t5Encoder =
        new Encoder(
            Component.TEXT_ENCODER_2,
            networks.t5Tokenizer(),
            textTokens,
            t5.vocabulary(),
            costs.t5Flops(textTokens));
    clipEncoder.tellTruncated(clipPrompts, truncated);
    t5Encoder.tellTruncated(t5Prompts, truncated);
    // One network after the other, so that not both need be in memory.
    float[] pooled =
        clipEncoder.encode(clipPrompts, Map.of(), clip.width(), cancellation, progress);
    Tensor buckets = ofLongs(t5.relativePositionBuckets(textTokens), textTokens, textTokens);
    float[] sequence =
        t5Encoder.encode(
            t5Prompts,
            Map.of("relative_buckets", buckets),
            Math.multiplyExact(textTokens, t5.width()),
            cancellation,
            progress);
    int count = clipPrompts.size();
    return new PromptEmbeddings(
        Tensor.ofFloats(pooled, count, clip.width()),
        Tensor.ofFloats(sequence, count, textTokens, t5.width()));
  }

  private static Tensor ofLongs(long[] values, long... dimensions) {
    ByteBuffer data =
        ByteBuffer.allocateDirect(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    data.asLongBuffer().put(values);
    return Tensor.view(ElementType.I64, Shape.of(dimensions), data, "token ids");
  }

  /** One of the two. */
  private final class Encoder {

    private final Component component;
    private final Tokenizer tokenizer;

    /** Tokens that it reads. */
    private final int length;

    /** Tokens that it knows. */
    private final int vocabulary;

    /** Of one prompt. */
    private final double flops;

    Encoder(Component component, Tokenizer tokenizer, int length, int vocabulary, double flops) {
      this.component = component;
      this.tokenizer = tokenizer;
      this.length = length;
      this.vocabulary = vocabulary;
      this.flops = flops;
    }

    void tellTruncated(List<String> prompts, Consumer<TruncatedPrompt> truncated) {
      for (String prompt : new LinkedHashSet<>(prompts)) {
        String lost = tokenizer.lost(prompt, length);
        if (!lost.isEmpty()) {
          LOG.warn(
              "{} reads {} tokens of a prompt at most; this part is not read: {}",
              component.id(),
              length,
              PrintableText.shortened(lost));
          truncated.accept(new TruncatedPrompt(component, prompt, length, lost));
        }
      }
    }

    private void checkKnown(long[] ids) {
      for (long id : ids) {
        if (id < 0 || id >= vocabulary) {
          throw new ModelException(
              networks.checkpoint().place(component)
                  + ": a prompt has token "
                  + id
                  + ", but this text encoder knows "
                  + vocabulary
                  + " ('vocab_size'); use the tokenizer that belongs to it");
        }
      }
    }

    /** Returns the results of all prompts, one after the other. */
    float[] encode(
        List<String> prompts,
        Map<String, Tensor> otherInputs,
        int elements,
        CancellationToken cancellation,
        GenerationProgress progress)
        throws IOException {
      float[] all = new float[Math.multiplyExact(prompts.size(), elements)];
      try (NetworkUse network = networks.use(component, progress.listener(), cancellation)) {
        GenerationProgress.Running stage =
            progress.begin(Stage.ENCODING_TEXT, component, prompts.size(), Unit.PROMPTS);
        for (int i = 0; i < prompts.size(); i++) {
          long[] ids = tokenizer.encode(prompts.get(i), length);
          checkKnown(ids);
          Map<String, Tensor> inputs = new HashMap<>(otherInputs);
          inputs.put("input_ids", ofLongs(ids, 1, ids.length));
          int prompt = i + 1;
          float[] one =
              FiniteResults.checked(
                  network.run(inputs, cancellation),
                  found ->
                      component.id()
                          + ": prompt "
                          + prompt
                          + " cannot be encoded, "
                          + found
                          + LikelyCauses.of(networks, component));
          System.arraycopy(one, 0, all, i * elements, elements);
          stage.advance(flops);
        }
      }
      return all;
    }
  }
}
