package io.github.urae.flux.model.internal;

import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Older and other names of an autoencoder's parameters: those of diffusers before its attention was
 * renamed, and those of CompVis, which Black Forest Labs' {@code ae.safetensors} has, too. There,
 * the decoder's levels are counted from the picture and not from the latents.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/single_file_utils.py">
 *     diffusers: {@code convert_ldm_vae_checkpoint}</a>
 */
final class AutoencoderNames {

  /** Names of which one is in every file of an autoencoder, or of a half of one. */
  static final List<String> MARKS =
      List.of(
          "decoder.mid_block.resnets.0.conv1.weight",
          "decoder.mid.block_1.conv1.weight",
          "encoder.mid_block.resnets.0.conv1.weight",
          "encoder.mid.block_1.conv1.weight");

  private static final Map<String, String> OLD_ATTENTION =
      Map.of("query", "to_q", "key", "to_k", "value", "to_v", "proj_attn", "to_out.0");

  private static final Map<String, String> COMPVIS_ATTENTION =
      Map.of("q", "to_q", "k", "to_k", "v", "to_v", "proj_out", "to_out.0", "norm", "group_norm");

  private static final String ATTENTION = ".mid_block.attentions.0.";

  private AutoencoderNames() {}

  /**
   * Translates names.
   *
   * @param tensors by any of the names
   * @return by diffusers' present names; the same map where they are that
   */
  static Map<String, TensorInfo> of(Map<String, TensorInfo> tensors) {
    int levels = levels(tensors);
    Map<String, TensorInfo> translated = new LinkedHashMap<>();
    tensors.forEach(
        (name, info) -> {
          String own = attention(compVis(name, levels));
          translated.putIfAbsent(own, asMatrix(StoredNames.named(info, own)));
        });
    return translated.equals(tensors) ? tensors : translated;
  }

  /** Counts the decoder's levels by CompVis' names. */
  private static int levels(Map<String, TensorInfo> tensors) {
    int levels = 0;
    while (tensors.containsKey("decoder.up." + levels + ".block.0.conv1.weight")) {
      levels++;
    }
    return levels;
  }

  private static String compVis(String name, int levels) {
    String[] parts = name.split("\\.", -1);
    if (parts.length < 3 || !(parts[0].equals("encoder") || parts[0].equals("decoder"))) {
      return name;
    }
    String half = parts[0];
    String rest = name.substring(half.length() + 1);
    if (rest.startsWith("norm_out.")) {
      return half + ".conv_" + rest;
    }
    if (rest.startsWith("mid.block_1.")) {
      return half + ".mid_block.resnets.0." + rest.substring(12);
    }
    if (rest.startsWith("mid.block_2.")) {
      return half + ".mid_block.resnets.1." + rest.substring(12);
    }
    if (rest.startsWith("mid.attn_1.") && parts.length == 5) {
      return half + ATTENTION + COMPVIS_ATTENTION.getOrDefault(parts[3], parts[3]) + "." + parts[4];
    }
    boolean down = parts[1].equals("down");
    if (!(down || parts[1].equals("up")) || parts.length < 6 || !isLevel(parts[2])) {
      return name;
    }
    int level = parts[2].charAt(0) - '0';
    String blocks = half + (down ? ".down_blocks." + level : ".up_blocks." + (levels - 1 - level));
    if (parts[3].equals("block")) {
      String module = parts[5].equals("nin_shortcut") ? "conv_shortcut" : parts[5];
      return blocks + ".resnets." + parts[4] + "." + module + "." + parts[parts.length - 1];
    }
    return blocks + "." + parts[3] + "rs.0." + parts[4] + "." + parts[5];
  }

  private static boolean isLevel(String text) {
    return text.length() == 1 && text.charAt(0) >= '0' && text.charAt(0) <= '9';
  }

  private static String attention(String name) {
    int at = name.indexOf(ATTENTION);
    if (at < 0) {
      return name;
    }
    String[] parts = name.substring(at + ATTENTION.length()).split("\\.", -1);
    String module = OLD_ATTENTION.get(parts[0]);
    return module == null || parts.length != 2
        ? name
        : name.substring(0, at) + ATTENTION + module + "." + parts[1];
  }

  /** Attention was a convolution of one pixel, once: the same numbers. */
  private static TensorInfo asMatrix(TensorInfo info) {
    Shape shape = info.shape();
    boolean convolution =
        info.name().contains(ATTENTION)
            && shape.rank() == 4
            && shape.dimension(2) == 1
            && shape.dimension(3) == 1;
    return convolution
        ? new TensorInfo(
            info.name(),
            info.encoding(),
            Shape.of(shape.dimension(0), shape.dimension(1)),
            info.file(),
            info.offset(),
            info.length())
        : info;
  }
}
