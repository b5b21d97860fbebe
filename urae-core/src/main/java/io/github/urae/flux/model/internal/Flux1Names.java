package io.github.urae.flux.model.internal;

import static io.github.urae.flux.model.internal.ParameterTable.entry;
import static io.github.urae.flux.model.internal.ParameterTable.fused;
import static io.github.urae.flux.model.internal.ParameterTable.linear;
import static io.github.urae.flux.model.internal.ParameterTable.optional;
import static io.github.urae.flux.model.internal.ParameterTable.scale;

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

  /**
   * Black Forest Labs' own names: of their single files, of GGUF files, and of most adapters.
   * ComfyUI and stable-diffusion.cpp write a prefix before them, beside the other networks of a
   * checkpoint.
   */
  static final ParameterTable BLACK_FOREST_LABS =
      new ParameterTable(
          "Black Forest Labs' names", List.of("model.diffusion_model.", ""), originalEntries());

  /** Modules that only XLabs' adapters have: parts of Black Forest Labs' blocks. */
  static final ParameterTable XLABS =
      new ParameterTable(
          "XLabs' names",
          List.of(""),
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
    // Queries, keys and values of the width of the input, then four times as many rows.
    entries.add(
        entry(
            original + "linear1",
            7,
            List.of(
                new Piece(diffusers + "attn.to_q", 0, 1),
                new Piece(diffusers + "attn.to_k", 1, 1),
                new Piece(diffusers + "attn.to_v", 2, 1),
                new Piece(diffusers + "proj_mlp", 3, 4))));
    entries.add(linear(original + "linear2", diffusers + "proj_out"));
    entries.add(scale(original + "norm.query_norm", diffusers + "attn.norm_q"));
    entries.add(scale(original + "norm.key_norm", diffusers + "attn.norm_k"));
    entries.add(linear(original + "modulation.lin", diffusers + "norm.linear"));
  }
}
