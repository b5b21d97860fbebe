package io.github.urae.adapter.internal.match;

import io.github.urae.flux.model.Component;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds the weights that a module of an adapter changes, by whatever names its trainer uses:
 * diffusers' own, those of Black Forest Labs' code (where several projections are one module), or
 * either with underscores for dots, as kohya writes them.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/loaders/lora_conversion_utils.py">
 *     diffusers: {@code lora_conversion_utils}</a>
 */
final class ModuleTargets {

  /**
   * Rows of a module's output that are rows of a weight.
   *
   * @param moduleRow first row in the module
   * @param weightRow first row in the weight
   * @param rows how many
   */
  record Rows(Component network, TensorInfo weight, long moduleRow, long weightRow, long rows) {}

  /** Beginnings of names that stand for a network. Longer ones first where one begins another. */
  private static final List<Map.Entry<String, Component>> PREFIXES =
      List.of(
          Map.entry("base_model.model.", Component.TRANSFORMER),
          Map.entry("model.diffusion_model.", Component.TRANSFORMER),
          Map.entry("diffusion_model.", Component.TRANSFORMER),
          Map.entry("transformer.", Component.TRANSFORMER),
          Map.entry("text_encoders.clip_l.transformer.", Component.TEXT_ENCODER),
          Map.entry("text_encoders.t5xxl.transformer.", Component.TEXT_ENCODER_2),
          Map.entry("text_encoder_2.", Component.TEXT_ENCODER_2),
          Map.entry("text_encoder.", Component.TEXT_ENCODER),
          Map.entry("lora_unet_", Component.TRANSFORMER),
          Map.entry("lycoris_", Component.TRANSFORMER),
          Map.entry("lora_transformer_", Component.TRANSFORMER),
          Map.entry("lora_te1_", Component.TEXT_ENCODER),
          Map.entry("lora_te2_", Component.TEXT_ENCODER_2),
          Map.entry("lora_te3_", Component.TEXT_ENCODER_2));

  private final Map<Component, TensorSource> model;
  private final Map<Component, Map<String, List<Rows>>> targets = new HashMap<>();

  /** Learns the names of a model's weights. */
  ModuleTargets(Map<Component, TensorSource> model) {
    this.model = model;
    model.forEach(
        (network, weights) -> {
          for (TensorInfo weight : weights.tensors().values()) {
            if (weight.shape().rank() == 2 && weight.name().endsWith(".weight")) {
              String module =
                  weight.name().substring(0, weight.name().length() - ".weight".length());
              add(network, module, List.of(weight.name()));
            }
          }
        });
    if (model.containsKey(Component.TRANSFORMER)) {
      addOriginalNames();
    }
  }

  /** Returns the weights of a module; empty if the model has no such module. */
  Optional<List<Rows>> find(String module) {
    Component network = Component.TRANSFORMER;
    String rest = module;
    boolean found = true;
    while (found) {
      found = false;
      for (Map.Entry<String, Component> prefix : PREFIXES) {
        if (rest.startsWith(prefix.getKey())) {
          network = prefix.getValue();
          rest = rest.substring(prefix.getKey().length());
          found = true;
        }
      }
    }
    return Optional.ofNullable(targets.getOrDefault(network, Map.of()).get(normal(rest)));
  }

  /** Returns the weight that a minor component's module belongs to, in URAE's names. */
  Optional<List<Rows>> findMinor(String module) {
    String attention = module.replace(".processor.to_", ".to_");
    return find(attention.endsWith(".to_out") ? attention + ".0" : attention);
  }

  private static String normal(String module) {
    return module.replace('.', '_');
  }

  /** Adds a module whose output is those of several weights, one after the other. */
  private void add(Component network, String module, Collection<String> weightNames) {
    List<Rows> rows = new ArrayList<>();
    long moduleRow = 0;
    for (String name : weightNames) {
      TensorInfo weight = model.get(network).tensors().get(name);
      if (weight == null) {
        return; // The model has no such block, or no guidance embedding.
      }
      long count = weight.shape().dimension(0);
      rows.add(new Rows(network, weight, moduleRow, 0, count));
      moduleRow += count;
    }
    targets.computeIfAbsent(network, n -> new HashMap<>()).put(normal(module), rows);
  }

  private void addOriginal(String module, String... modules) {
    List<String> weights = new ArrayList<>();
    for (String diffusers : modules) {
      weights.add(diffusers + ".weight");
    }
    add(Component.TRANSFORMER, module, weights);
  }

  private void addOriginalNames() {
    addOriginal("img_in", "x_embedder");
    addOriginal("txt_in", "context_embedder");
    addEmbedder("time_in", "timestep_embedder");
    addEmbedder("guidance_in", "guidance_embedder");
    addEmbedder("vector_in", "text_embedder");
    addOriginal("final_layer.linear", "proj_out");
    addSwapped("final_layer.adaLN_modulation.1", "norm_out.linear");
    for (int i = 0; has("transformer_blocks." + i + ".attn.to_q.weight"); i++) {
      addDoubleBlock("double_blocks." + i + ".", "transformer_blocks." + i + ".");
    }
    for (int i = 0; has("single_transformer_blocks." + i + ".attn.to_q.weight"); i++) {
      addSingleBlock("single_blocks." + i + ".", "single_transformer_blocks." + i + ".");
    }
  }

  private boolean has(String weight) {
    return model.get(Component.TRANSFORMER).tensors().containsKey(weight);
  }

  private void addEmbedder(String original, String diffusers) {
    addOriginal(original + ".in_layer", "time_text_embed." + diffusers + ".linear_1");
    addOriginal(original + ".out_layer", "time_text_embed." + diffusers + ".linear_2");
  }

  private void addDoubleBlock(String original, String diffusers) {
    String attn = diffusers + "attn.";
    for (String side : List.of("img", "txt")) {
      boolean image = side.equals("img");
      String qkv = image ? "to_%s" : "add_%s_proj";
      String[] projections = {
        attn + String.format(qkv, "q"),
        attn + String.format(qkv, "k"),
        attn + String.format(qkv, "v")
      };
      String output = attn + (image ? "to_out.0" : "to_add_out");
      String feedForward = diffusers + (image ? "ff." : "ff_context.");
      addOriginal(original + side + "_attn.qkv", projections);
      addOriginal(original + side + "_attn.proj", output);
      addOriginal(original + side + "_mlp.0", feedForward + "net.0.proj");
      addOriginal(original + side + "_mlp.2", feedForward + "net.2");
      addOriginal(
          original + side + "_mod.lin",
          diffusers + (image ? "norm1" : "norm1_context") + ".linear");
      // XLabs numbers the sides.
      String number = image ? "1" : "2";
      addOriginal(original + "processor.qkv_lora" + number, projections);
      addOriginal(original + "processor.proj_lora" + number, output);
    }
  }

  private void addSingleBlock(String original, String diffusers) {
    String attn = diffusers + "attn.";
    addOriginal(
        original + "linear1", attn + "to_q", attn + "to_k", attn + "to_v", diffusers + "proj_mlp");
    addOriginal(original + "linear2", diffusers + "proj_out");
    addOriginal(original + "modulation.lin", diffusers + "norm.linear");
    addOriginal(original + "processor.qkv_lora", attn + "to_q", attn + "to_k", attn + "to_v");
    addOriginal(original + "processor.proj_lora", diffusers + "proj_out");
  }

  /** The original code has shift before scale here, diffusers scale before shift. */
  private void addSwapped(String original, String diffusers) {
    TensorInfo weight = model.get(Component.TRANSFORMER).tensors().get(diffusers + ".weight");
    if (weight == null) {
      return;
    }
    long half = weight.shape().dimension(0) / 2;
    targets
        .get(Component.TRANSFORMER)
        .put(
            normal(original),
            List.of(
                new Rows(Component.TRANSFORMER, weight, 0, half, half),
                new Rows(Component.TRANSFORMER, weight, half, 0, half)));
  }
}
