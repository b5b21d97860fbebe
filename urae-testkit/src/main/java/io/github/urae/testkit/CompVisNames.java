package io.github.urae.testkit;

/** The names that an autoencoder's tensors have in {@code ae.safetensors}. */
public final class CompVisNames {

  private CompVisNames() {}

  /**
   * Translates a name.
   *
   * @param name of a tensor in diffusers' autoencoder of four levels
   * @return its name in CompVis' code
   */
  public static String of(String name) {
    String translated =
        name.replace("mid_block.resnets.0", "mid.block_1")
            .replace("mid_block.resnets.1", "mid.block_2")
            .replace("mid_block.attentions.0.group_norm", "mid.attn_1.norm")
            .replace("mid_block.attentions.0.to_q", "mid.attn_1.q")
            .replace("mid_block.attentions.0.to_k", "mid.attn_1.k")
            .replace("mid_block.attentions.0.to_v", "mid.attn_1.v")
            .replace("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out")
            .replace("conv_norm_out", "norm_out")
            .replace("conv_shortcut", "nin_shortcut")
            .replace("downsamplers.0", "downsample")
            .replace("upsamplers.0", "upsample")
            .replace("resnets", "block");
    for (int i = 0; i < 4; i++) {
      translated =
          translated
              .replace("down_blocks." + i, "down." + i)
              .replace("up_blocks." + i, "up." + (3 - i));
    }
    return translated;
  }
}
