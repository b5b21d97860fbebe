package io.github.urae.adapter.internal.format;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Tells other model families by the keys of their adapters, to say what a file was made for. */
public final class ForeignAdapters {

  /** Keys that only one family has; in this order, since SDXL has those of its elders too. */
  private static final List<Map.Entry<String, Pattern>> FAMILIES =
      List.of(
          family(
              "FLUX.2",
              "(double|single)_stream_modulation|to_qkv_mlp_proj"
                  + "|transformer_blocks[._]\\d+[._]ff(_context)?[._]linear_(in|out)"),
          family("Stable Diffusion 3", "joint_blocks[._]\\d"),
          family(
              "SDXL",
              "lora_te2_text_model|text_encoder_2[._]text_model|lora_unet_(input|output)_blocks"
                  + "|attentions[._]\\d+[._]transformer_blocks[._][1-9]"),
          family(
              "Stable Diffusion 1 or 2",
              "lora_te_text_model|(down|up|mid)_blocks?[._](\\d+[._])?attentions"),
          family("Qwen-Image", "transformer_blocks[._]\\d+[._](img|txt)_(mlp[._]net|mod[._]1)"),
          family("Z-Image", "(noise|context)_refiner"),
          family("Wan", "(^|[._])blocks[._]\\d+[._](self|cross)_attn[._](q|k|v|o)([._]|$)"));

  private ForeignAdapters() {}

  private static Map.Entry<String, Pattern> family(String name, String keys) {
    return Map.entry(name, Pattern.compile(keys));
  }

  /** Returns a sentence that names the family, after a full stop; or nothing if no key tells. */
  public static String hint(Collection<String> keys) {
    for (Map.Entry<String, Pattern> family : FAMILIES) {
      if (keys.stream().anyMatch(key -> family.getValue().matcher(key).find())) {
        return ". Its keys are those of adapters for " + family.getKey();
      }
    }
    return "";
  }
}
