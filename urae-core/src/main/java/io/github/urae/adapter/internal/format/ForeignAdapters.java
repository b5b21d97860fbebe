package io.github.urae.adapter.internal.format;

import com.google.re2j.Pattern;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Tells other model families by the keys of their adapters, to say what a file was made for. */
public final class ForeignAdapters {

  /** No program writes longer ones; a file may hold them. */
  private static final int MAX_KEY_LENGTH = 1000;

  /** Keys that only one family has; in this order, since SDXL has those of its elders too. */
  private static final List<Map.Entry<String, Pattern>> FAMILIES =
      List.of(
          family("Chroma", "distilled_guidance_layer"),
          family(
              "FLUX.2",
              "(double|single)_stream_modulation|to_qkv_mlp_proj"
                  + "|transformer_blocks[._]\\d+[._]ff(_context)?[._]linear_(in|out)"),
          family("Stable Diffusion 3", "joint_blocks[._]\\d"),
          family("AuraFlow", "joint_transformer_blocks[._]\\d"),
          family(
              "SDXL",
              "lora_te2_text_model|text_encoder_2[._]text_model|clip_g[._]transformer"
                  + "|lora_unet_(input|output)_blocks"
                  + "|attentions[._]\\d+[._]transformer_blocks[._][1-9]"),
          family("Stable Cascade", "lora_prior_(unet|te)"),
          family("Stable Diffusion 1 or 2", "(down|up|mid)_blocks?[._](\\d+[._])?attentions"),
          family("Qwen-Image", "transformer_blocks[._]\\d+[._](img|txt)_(mlp[._]net|mod[._]1)"),
          family("HunyuanVideo", "double_blocks\\.\\d+\\.(img|txt)_attn_qkv|token_refiner"),
          family("HiDream", "(double|single)_stream_blocks[._]\\d"),
          family("Z-Image or Lumina", "(noise|context)_refiner"),
          family("LTX-Video or PixArt", "transformer_blocks[._]\\d+[._]attn1[._]to_"),
          family("Wan", "(^|[._])blocks[._]\\d+[._](self|cross)_attn[._](q|k|v|o)([._]|$)"));

  private ForeignAdapters() {}

  private static Map.Entry<String, Pattern> family(String name, String keys) {
    return Map.entry(name, Pattern.compile(keys));
  }

  /**
   * Names the family that an adapter was made for.
   *
   * @param keys its keys
   * @return empty if no key tells
   */
  public static Optional<String> family(Collection<String> keys) {
    for (Map.Entry<String, Pattern> family : FAMILIES) {
      if (keys.stream()
          .anyMatch(
              key -> key.length() <= MAX_KEY_LENGTH && family.getValue().matcher(key).find())) {
        return Optional.of(family.getKey());
      }
    }
    return Optional.empty();
  }
}
