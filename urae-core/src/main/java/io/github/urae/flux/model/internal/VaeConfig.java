package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.internal.JsonConfig;
import java.util.List;

/**
 * What a checkpoint's {@code vae/config.json} says.
 *
 * @param latentChannels channels of latents; 16 for FLUX.1
 * @param channels channels at each level, from full size down; 128, 256, 512, 512 for FLUX.1
 * @param layersPerBlock residual blocks a level of the encoder; 2
 * @param groups groups of group normalisation; 32
 * @param sampleSize native size of pictures, pixels a side; 1024
 * @param scalingFactor latents are multiplied by this after encoding; 0.3611
 * @param shiftFactor and before that, this is subtracted; 0.1159
 */
public record VaeConfig(
    int latentChannels,
    List<Integer> channels,
    int layersPerBlock,
    int groups,
    int sampleSize,
    double scalingFactor,
    double shiftFactor) {

  /** Bounds beyond sense, below which no product of sizes leaves its type. */
  private static final int MOST_CHANNELS = 1 << 16;

  private static final int LARGEST_SAMPLE = 1 << 14;

  /** As of any record, but without what Java would put together for it at each start. */
  @Override
  public boolean equals(Object other) {
    return other instanceof VaeConfig that
        && latentChannels == that.latentChannels
        && channels.equals(that.channels)
        && layersPerBlock == that.layersPerBlock
        && groups == that.groups
        && sampleSize == that.sampleSize
        && Double.compare(scalingFactor, that.scalingFactor) == 0
        && Double.compare(shiftFactor, that.shiftFactor) == 0;
  }

  @Override
  public int hashCode() {
    return 31 * channels.hashCode() + Double.hashCode(scalingFactor);
  }

  /**
   * Reads the configuration. Where a key is missing, it means what it does in diffusers.
   *
   * @param config the content of {@code config.json}
   * @param family what latents must look like
   * @return its values
   * @throws ModelException if it describes another network
   */
  public static VaeConfig from(JsonConfig config, ModelFamily family) {
    config.oneOf("_class_name", "AutoencoderKL", "AutoencoderKL");
    config.oneOf("act_fn", "silu", "silu");
    int latentChannels = config.positiveInt("latent_channels", 4);
    if (latentChannels != family.latents().channels()) {
      throw config.unsupported("latent_channels", family.latents().channels() + asHas(family));
    }
    if (config.positiveInt("in_channels", 3) != 3 || config.positiveInt("out_channels", 3) != 3) {
      throw config.unsupported("out_channels", "3, red, green and blue");
    }
    for (String key : List.of("use_quant_conv", "use_post_quant_conv")) {
      // Where missing, older configurations mean true.
      if (config.flag(key, true)) {
        throw config.unsupported(key, "false" + asHas(family));
      }
    }
    if (!config.flag("mid_block_add_attention", true)) {
      throw config.unsupported("mid_block_add_attention", "true" + asHas(family));
    }
    List<Integer> channels = config.positiveInts("block_out_channels").orElse(List.of(64));
    int groups = config.positiveInt("norm_num_groups", 32);
    int levels = 1 + Integer.numberOfTrailingZeros(family.latents().pixelsPerLatent());
    boolean fits =
        channels.size() == levels && channels.stream().allMatch(count -> count % groups == 0);
    if (!fits) {
      throw config.unsupported(
          "block_out_channels", levels + " multiples of norm_num_groups, " + groups);
    }
    if (channels.stream().anyMatch(count -> count > MOST_CHANNELS)) {
      throw config.unsupported("block_out_channels", "at most " + MOST_CHANNELS + " each");
    }
    int sampleSize = config.firstPositiveInt("sample_size", 1024);
    if (sampleSize > LARGEST_SAMPLE) {
      throw config.unsupported("sample_size", "at most " + LARGEST_SAMPLE + " pixels a side");
    }
    return new VaeConfig(
        latentChannels,
        channels,
        config.positiveInt("layers_per_block", 1),
        groups,
        sampleSize,
        config.number("scaling_factor", 0.18215),
        config.number("shift_factor", 0));
  }

  private static String asHas(ModelFamily family) {
    return ", as " + family.name() + " has";
  }

  /**
   * Returns how much smaller latents are than the picture.
   *
   * @return pixels a side of one latent element: every level but the last halves; 8 for FLUX.1
   */
  public int pixelsPerLatent() {
    return 1 << (channels.size() - 1);
  }
}
