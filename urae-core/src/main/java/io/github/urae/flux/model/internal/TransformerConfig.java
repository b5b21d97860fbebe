package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.internal.JsonConfig;
import java.util.List;

/**
 * What a checkpoint's {@code transformer/config.json} says.
 *
 * @param inputChannels channels of an image token; 64 for FLUX.1
 * @param outputChannels channels of a token of the velocity, as of packed latents; 64 for FLUX.1
 * @param doubleBlocks blocks with separate weights for text and image; 19 for FLUX.1
 * @param singleBlocks blocks over text and image together; 38 for FLUX.1
 * @param heads attention heads; 24 for FLUX.1
 * @param headDim channels of a head; 128 for FLUX.1
 * @param rotaryAxes channels of a head that turn with each of the axes (0, row, column); 16, 56, 56
 * @param textDim width of T5's embeddings; 4096
 * @param pooledDim width of CLIP's pooled embedding; 768
 * @param guidance whether the transformer is told a guidance scale; true for -dev
 */
public record TransformerConfig(
    int inputChannels,
    int outputChannels,
    int doubleBlocks,
    int singleBlocks,
    int heads,
    int headDim,
    List<Integer> rotaryAxes,
    int textDim,
    int pooledDim,
    boolean guidance) {

  /** A bound beyond sense, below which no product of sizes leaves its type. */
  private static final int MOST_CHANNELS = 1 << 28;

  /**
   * Reads the configuration. Where a key is missing, it means what it does in diffusers.
   *
   * @param config the content of {@code config.json}
   * @param family what the configuration may leave open, and must not contradict
   * @return its values
   * @throws ModelException if it describes another network
   */
  public static TransformerConfig from(JsonConfig config, ModelFamily family) {
    ModelFamily.Transformer usual = family.transformer();
    if (!config.text("_class_name").orElse(usual.className()).equals(usual.className())) {
      throw config.unsupported(
          "_class_name", usual.className() + ", the transformer of " + family.name());
    }
    int channels = config.positiveInt("in_channels", usual.inputChannels());
    if (channels != usual.inputChannels()) {
      String relative = usual.relatives().get(channels);
      throw config.unsupported(
          "in_channels",
          usual.inputChannels()
              + (relative == null ? "" : " (as in " + relative + ", which is not supported)"));
    }
    int outputs = family.latents().packedChannels();
    if (config.positiveInt("out_channels", channels) != outputs) {
      throw config.unsupported("out_channels", (outputs == channels ? "null or " : "") + outputs);
    }
    if (config.positiveInt("patch_size", 1) != 1) {
      throw config.unsupported("patch_size", "1");
    }
    int headDim = config.positiveInt("attention_head_dim", 128);
    List<Integer> axes = config.positiveInts("axes_dims_rope").orElse(usual.rotaryAxes());
    boolean axesFit =
        axes.size() == usual.rotaryAxes().size()
            && axes.stream().allMatch(a -> a % 2 == 0)
            && axes.stream().mapToLong(a -> a).sum() == headDim;
    if (!axesFit) {
      throw config.unsupported(
          "axes_dims_rope",
          usual.rotaryAxes().size()
              + " even numbers that add up to attention_head_dim, "
              + headDim);
    }
    int heads = config.positiveInt("num_attention_heads", 24);
    if ((long) heads * headDim > MOST_CHANNELS) {
      throw config.unsupported(
          "num_attention_heads",
          "at most " + MOST_CHANNELS + " channels of 'attention_head_dim' in all together");
    }
    return new TransformerConfig(
        channels,
        outputs,
        config.positiveInt("num_layers", 19),
        config.positiveInt("num_single_layers", 38),
        heads,
        headDim,
        axes,
        config.positiveInt("joint_attention_dim", 4096),
        config.positiveInt("pooled_projection_dim", 768),
        config.flag("guidance_embeds", false));
  }

  /**
   * Returns the same with or without a guidance embedding.
   *
   * @param embedded whether the transformer is told a guidance scale
   * @return a copy
   */
  public TransformerConfig withGuidance(boolean embedded) {
    return new TransformerConfig(
        inputChannels,
        outputChannels,
        doubleBlocks,
        singleBlocks,
        heads,
        headDim,
        rotaryAxes,
        textDim,
        pooledDim,
        embedded);
  }

  /**
   * Returns the width of the residual stream.
   *
   * @return heads times headDim; 3072 for FLUX.1
   */
  public int width() {
    return heads * headDim;
  }
}
