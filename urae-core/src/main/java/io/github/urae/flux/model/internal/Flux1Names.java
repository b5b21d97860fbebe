package io.github.urae.flux.model.internal;

import static io.github.urae.flux.model.internal.ParameterTable.entry;
import static io.github.urae.flux.model.internal.ParameterTable.fused;
import static io.github.urae.flux.model.internal.ParameterTable.linear;
import static io.github.urae.flux.model.internal.ParameterTable.optional;
import static io.github.urae.flux.model.internal.ParameterTable.scale;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ParameterTable.Entry;
import io.github.urae.flux.model.internal.ParameterTable.Piece;
import java.util.ArrayList;
import java.util.List;

/**
 * The names of FLUX.1's transformer outside diffusers.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/scripts/convert_flux_to_diffusers.py">
 *     diffusers: {@code convert_flux_to_diffusers.py}</a>
 */
final class Flux1Names {

  /** Black Forest Labs' own names: of their single files, of GGUF files, and of most adapters. */
  static final ParameterTable BLACK_FOREST_LABS =
      new ParameterTable("Black Forest Labs' names", originalEntries());

  /** Modules that only XLabs' adapters have: parts of Black Forest Labs' blocks. */
  static final ParameterTable XLABS =
      new ParameterTable(
          "XLabs' names",
          List.of(
              attention("double_blocks.#.processor.qkv_lora1", true),
              linear("double_blocks.#.processor.proj_lora1", "transformer_blocks.#.attn.to_out.0"),
              attention("double_blocks.#.processor.qkv_lora2", false),
              linear(
                  "double_blocks.#.processor.proj_lora2", "transformer_blocks.#.attn.to_add_out"),
              fused(
                  "single_blocks.#.processor.qkv_lora",
                  "single_transformer_blocks.#.attn.to_q",
                  "single_transformer_blocks.#.attn.to_k",
                  "single_transformer_blocks.#.attn.to_v"),
              linear(
                  "single_blocks.#.processor.proj_lora", "single_transformer_blocks.#.proj_out")));

  /**
   * OneTrainer's modules: the parts of Black Forest Labs' fused projections, by their numbers.
   *
   * @see <a href="https://github.com/Open-Model-Initiative/OMI-Model-Standards">OMI: {@code
   *     convert_flux_lora.py}</a>
   */
  static final ParameterTable ONE_TRAINER =
      new ParameterTable(
          "OneTrainer's names",
          List.of(
              linear("double_blocks.#.img_attn.qkv.0", "transformer_blocks.#.attn.to_q"),
              linear("double_blocks.#.img_attn.qkv.1", "transformer_blocks.#.attn.to_k"),
              linear("double_blocks.#.img_attn.qkv.2", "transformer_blocks.#.attn.to_v"),
              linear("double_blocks.#.txt_attn.qkv.0", "transformer_blocks.#.attn.add_q_proj"),
              linear("double_blocks.#.txt_attn.qkv.1", "transformer_blocks.#.attn.add_k_proj"),
              linear("double_blocks.#.txt_attn.qkv.2", "transformer_blocks.#.attn.add_v_proj"),
              linear("single_blocks.#.linear1.0", "single_transformer_blocks.#.attn.to_q"),
              linear("single_blocks.#.linear1.1", "single_transformer_blocks.#.attn.to_k"),
              linear("single_blocks.#.linear1.2", "single_transformer_blocks.#.attn.to_v"),
              linear("single_blocks.#.linear1.3", "single_transformer_blocks.#.proj_mlp"),
              linear("img_in.proj", "x_embedder")));

  /**
   * The names of DiffSynth-Studio's own transformer, which it writes into adapters.
   *
   * @see <a href="https://github.com/modelscope/DiffSynth-Studio">DiffSynth-Studio: {@code
   *     flux_dit.py}</a>
   */
  static final ParameterTable DIFFSYNTH =
      new ParameterTable(
          "DiffSynth-Studio's names",
          List.of(
              attention("blocks.#.attn.a_to_qkv", true),
              attention("blocks.#.attn.b_to_qkv", false),
              linear("blocks.#.attn.a_to_out", "transformer_blocks.#.attn.to_out.0"),
              linear("blocks.#.attn.b_to_out", "transformer_blocks.#.attn.to_add_out"),
              linear("blocks.#.ff_a.0", "transformer_blocks.#.ff.net.0.proj"),
              linear("blocks.#.ff_a.2", "transformer_blocks.#.ff.net.2"),
              linear("blocks.#.ff_b.0", "transformer_blocks.#.ff_context.net.0.proj"),
              linear("blocks.#.ff_b.2", "transformer_blocks.#.ff_context.net.2"),
              linear("blocks.#.norm1_a.linear", "transformer_blocks.#.norm1.linear"),
              linear("blocks.#.norm1_b.linear", "transformer_blocks.#.norm1_context.linear"),
              queriesToFeedForward("single_blocks.#.to_qkv_mlp"),
              linear("single_blocks.#.proj_out", "single_transformer_blocks.#.proj_out"),
              linear("single_blocks.#.norm.linear", "single_transformer_blocks.#.norm.linear")));

  /** Projections that some programs fuse before they train them. */
  static final ParameterTable FUSED =
      new ParameterTable(
          "fused projections",
          List.of(
              attention("transformer_blocks.#.attn.to_qkv", true),
              attention("transformer_blocks.#.attn.to_added_qkv", false),
              fused(
                  "single_transformer_blocks.#.attn.to_qkv",
                  "single_transformer_blocks.#.attn.to_q",
                  "single_transformer_blocks.#.attn.to_k",
                  "single_transformer_blocks.#.attn.to_v"),
              fused(
                  "single_blocks.#.linear1_qkv",
                  "single_transformer_blocks.#.attn.to_q",
                  "single_transformer_blocks.#.attn.to_k",
                  "single_transformer_blocks.#.attn.to_v")));

  /** What stands before the names of modules in adapters; wrappers of PyTorch and PEFT, too. */
  static final List<ModelFamily.Prefix> ADAPTER_PREFIXES =
      List.of(
          ModelFamily.Prefix.of("base_model."),
          ModelFamily.Prefix.of("model."),
          ModelFamily.Prefix.of("module."),
          ModelFamily.Prefix.of("lycoris_"),
          ModelFamily.Prefix.of("diffusion_model.", Component.TRANSFORMER),
          ModelFamily.Prefix.of("transformer.", Component.TRANSFORMER),
          ModelFamily.Prefix.of("unet.", Component.TRANSFORMER),
          ModelFamily.Prefix.of("lora_unet_", Component.TRANSFORMER),
          ModelFamily.Prefix.of("lora_transformer_", Component.TRANSFORMER),
          ModelFamily.Prefix.of("text_encoders.clip_l.transformer.", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("text_encoders.clip_l.", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("clip_l.transformer.", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("clip_l.", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("text_encoder.", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("text_encoder_1.", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("lora_te_", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("lora_te1_", Component.TEXT_ENCODER),
          ModelFamily.Prefix.of("text_encoders.t5xxl.transformer.", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("text_encoders.t5xxl.", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("t5xxl.transformer.", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("t5xxl.", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("t5.", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("text_encoder_2.", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("lora_te2_", Component.TEXT_ENCODER_2),
          ModelFamily.Prefix.of("lora_te3_", Component.TEXT_ENCODER_2));

  /** What adapters hold for parts that FLUX.1, or -schnell, does without. */
  static final List<ModelFamily.UnusedPart> UNUSED_BY_ADAPTERS =
      List.of(
          new ModelFamily.UnusedPart(
              "guidance_in", "the guidance embedding, which FLUX.1-schnell does not have"),
          new ModelFamily.UnusedPart(
              "time_text_embed.guidance_embedder",
              "the guidance embedding, which FLUX.1-schnell does not have"),
          new ModelFamily.UnusedPart(
              "text_projection", "CLIP's text projection, which FLUX.1 does not use"),
          new ModelFamily.UnusedPart(
              "logit_scale", "CLIP's logit scale, which FLUX.1 does not use"),
          new ModelFamily.UnusedPart("lm_head", "T5's decoder, which FLUX.1 does not use"),
          new ModelFamily.UnusedPart("decoder.block", "T5's decoder, which FLUX.1 does not use"),
          new ModelFamily.UnusedPart(
              "text_model.embeddings.position_ids", "a table of numbers, which is not trained"),
          new ModelFamily.UnusedPart(
              "embeddings.position_ids", "a table of numbers, which is not trained"),
          new ModelFamily.UnusedPart(
              "bundle_emb",
              "embeddings of new words (textual inversion), which are not read; the words mean"
                  + " nothing in prompts"));

  private Flux1Names() {}

  private static List<Entry> originalEntries() {
    List<Entry> entries = new ArrayList<>();
    entries.add(linear("img_in", "x_embedder"));
    entries.add(linear("txt_in", "context_embedder"));
    addEmbedder(entries, "time_in", "timestep_embedder");
    addEmbedder(entries, "vector_in", "text_embedder");
    List<Entry> guidance = new ArrayList<>();
    addEmbedder(guidance, "guidance_in", "guidance_embedder");
    guidance.forEach(entry -> entries.add(optional(entry)));
    addDoubleBlock(entries, true);
    addDoubleBlock(entries, false);
    addSingleBlock(entries);
    entries.add(linear("final_layer.linear", "proj_out"));
    // Shift before scale here, scale before shift in diffusers.
    entries.add(
        entry(
            "final_layer.adaLN_modulation.1",
            2,
            List.of(new Piece("norm_out.linear", 1, 1), new Piece("norm_out.linear", 0, 1))));
    return entries;
  }

  private static void addEmbedder(List<Entry> entries, String original, String diffusers) {
    entries.add(linear(original + ".in_layer", "time_text_embed." + diffusers + ".linear_1"));
    entries.add(linear(original + ".out_layer", "time_text_embed." + diffusers + ".linear_2"));
  }

  private static void addDoubleBlock(List<Entry> entries, boolean image) {
    String original = "double_blocks.#." + (image ? "img_" : "txt_");
    String diffusers = "transformer_blocks.#.";
    String norm = diffusers + (image ? "attn.norm_" : "attn.norm_added_");
    String feedForward = diffusers + (image ? "ff" : "ff_context");
    entries.add(attention(original + "attn.qkv", image));
    entries.add(scale(original + "attn.norm.query_norm", norm + "q"));
    entries.add(scale(original + "attn.norm.key_norm", norm + "k"));
    entries.add(
        linear(original + "attn.proj", diffusers + (image ? "attn.to_out.0" : "attn.to_add_out")));
    entries.add(linear(original + "mlp.0", feedForward + ".net.0.proj"));
    entries.add(linear(original + "mlp.2", feedForward + ".net.2"));
    entries.add(
        linear(original + "mod.lin", diffusers + (image ? "norm1" : "norm1_context") + ".linear"));
  }

  /** Queries, keys and values of one side of a double block. */
  private static Entry attention(String module, boolean image) {
    String attention = "transformer_blocks.#.attn.";
    return image
        ? fused(module, attention + "to_q", attention + "to_k", attention + "to_v")
        : fused(
            module, attention + "add_q_proj", attention + "add_k_proj", attention + "add_v_proj");
  }

  private static void addSingleBlock(List<Entry> entries) {
    String original = "single_blocks.#.";
    String diffusers = "single_transformer_blocks.#.";
    entries.add(queriesToFeedForward(original + "linear1"));
    entries.add(linear(original + "linear2", diffusers + "proj_out"));
    entries.add(scale(original + "norm.query_norm", diffusers + "attn.norm_q"));
    entries.add(scale(original + "norm.key_norm", diffusers + "attn.norm_k"));
    entries.add(linear(original + "modulation.lin", diffusers + "norm.linear"));
  }

  /** Queries, keys and values of the width of the input, then four times as many rows. */
  private static Entry queriesToFeedForward(String module) {
    String diffusers = "single_transformer_blocks.#.";
    return entry(
        module,
        7,
        List.of(
            new Piece(diffusers + "attn.to_q", 0, 1),
            new Piece(diffusers + "attn.to_k", 1, 1),
            new Piece(diffusers + "attn.to_v", 2, 1),
            new Piece(diffusers + "proj_mlp", 3, 4)));
  }
}
