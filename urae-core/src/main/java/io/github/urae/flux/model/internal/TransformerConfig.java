package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.internal.JsonConfig;
import java.util.List;

/**
 * What a checkpoint's {@code transformer/config.json} says.
 *
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
    int doubleBlocks,
    int singleBlocks,
    int heads,
    int headDim,
    List<Integer> rotaryAxes,
    int textDim,
    int pooledDim,
    boolean guidance) {

  private static final String CLASS_NAME = "FluxTransformer2DModel";

  /**
   * Reads the configuration.
   *
   * @param config the content of {@code config.json}
   * @return its values
   * @throws ModelException if it describes another network
   */
  public static TransformerConfig from(JsonConfig config) {
    String className = config.text("_class_name").orElse(CLASS_NAME);
    if (!className.equals(CLASS_NAME)) {
      throw config.unsupported("_class_name", CLASS_NAME + ", the transformer of FLUX.1");
    }
    int channels = config.positiveInt("in_channels", LatentGrid.PACKED_CHANNELS);
    if (channels != LatentGrid.PACKED_CHANNELS) {
      String kind =
          switch (channels) {
            case 384 -> " (as in FLUX.1 Fill, which is not supported)";
            case 128 -> " (as in FLUX.1 Canny, Depth or FLUX.2, which are not supported)";
            default -> "";
          };
      throw config.unsupported("in_channels", LatentGrid.PACKED_CHANNELS + kind);
    }
    if (config.positiveInt("out_channels", channels) != channels) {
      throw config.unsupported("out_channels", "null or " + channels);
    }
    if (config.positiveInt("patch_size", 1) != 1) {
      throw config.unsupported("patch_size", "1");
    }
    int headDim = config.positiveInt("attention_head_dim", 128);
    List<Integer> axes = config.positiveInts("axes_dims_rope").orElse(List.of(16, 56, 56));
    boolean axesFit =
        axes.size() == 3
            && axes.stream().allMatch(a -> a % 2 == 0)
            && axes.stream().mapToInt(a -> a).sum() == headDim;
    if (!axesFit) {
      throw config.unsupported(
          "axes_dims_rope", "three even numbers that add up to attention_head_dim, " + headDim);
    }
    return new TransformerConfig(
        config.positiveInt("num_layers"),
        config.positiveInt("num_single_layers"),
        config.positiveInt("num_attention_heads"),
        headDim,
        axes,
        config.positiveInt("joint_attention_dim"),
        config.positiveInt("pooled_projection_dim"),
        config.flag("guidance_embeds", false));
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
