package io.github.urae.flux.model.internal;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.JsonTrees;
import io.github.urae.weights.internal.gguf.GgufTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Writes what a checkpoint's folder holds beside weights, for a model whose files or parts have no
 * such folder around them: configurations as they were read or told by shapes, and tokenizers.
 */
public final class CheckpointFiles {

  private static final String CONFIG = "config.json";
  private static final String TOKENIZER = "tokenizer.json";

  /** The files of a tokenizer, as far as there are any. */
  private static final List<String> TOKENIZER_FILES =
      List.of(
          "vocab.json",
          "merges.txt",
          TOKENIZER,
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "spiece.model");

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private final Checkpoint checkpoint;

  /**
   * Creates a writer.
   *
   * @param checkpoint what is written
   */
  public CheckpointFiles(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /**
   * Tells whether a network has the configuration in the checkpoint's own folder.
   *
   * @param network which one
   * @return false for parts from elsewhere whose shapes or files say something else
   */
  public boolean hasOwnConfiguration(Component network) {
    Optional<Path> configuration = checkpoint.configuration(network);
    return checkpoint.folder().isPresent()
        && configuration.filter(file -> file.startsWith(checkpoint.folder().get())).isPresent();
  }

  /**
   * Writes the configuration of a network, whatever it was told by.
   *
   * @param network which one
   * @param folder the network's, which is there; a file in it is replaced
   * @throws IOException if it cannot be written
   */
  public void writeConfiguration(Component network, Path folder) throws IOException {
    ObjectNode config =
        switch (network) {
          case TRANSFORMER -> transformer();
          case TEXT_ENCODER -> clip();
          case TEXT_ENCODER_2 -> t5();
          case VAE_ENCODER, VAE_DECODER -> vae();
          case TOKENIZER, TOKENIZER_2 ->
              throw new IllegalArgumentException(network + " is no network");
        };
    write(config, folder.resolve(CONFIG));
  }

  /**
   * Writes the index and the configuration of the scheduler of a model of files.
   *
   * @param target a folder that is there
   * @throws IOException if they cannot be written
   * @throws ModelException if the scheduler is another than FLUX.1's models have
   */
  public void writeIndex(Path target) throws IOException {
    SchedulerConfig scheduler = checkpoint.scheduler();
    if (!scheduler.equals(
        SchedulerConfig.ofFlux(scheduler.shift().shift(), scheduler.useDynamicShifting()))) {
      throw new ModelException(
          checkpoint.name()
              + ": expected a scheduler as FLUX.1's, to be written into a checkpoint, found another;"
              + " leave its scheduler_config.json out, and put it into the result");
    }
    ObjectNode config = NODES.objectNode();
    config.put("_class_name", "FlowMatchEulerDiscreteScheduler");
    config.put("base_image_seq_len", 256);
    config.put("base_shift", 0.5);
    config.put("max_image_seq_len", 4096);
    config.put("max_shift", 1.15);
    config.put("num_train_timesteps", scheduler.timesteps());
    config.put("shift", scheduler.shift().shift());
    config.put("use_dynamic_shifting", scheduler.useDynamicShifting());
    Path folder = Files.createDirectories(target.resolve("scheduler"));
    write(config, folder.resolve("scheduler_config.json"));
    ObjectNode index = NODES.objectNode();
    index.put("_class_name", checkpoint.family().pipelines().get(0));
    member(index, "scheduler", "diffusers", "FlowMatchEulerDiscreteScheduler");
    member(index, "text_encoder", "transformers", "CLIPTextModel");
    member(index, "text_encoder_2", "transformers", "T5EncoderModel");
    member(index, "tokenizer", "transformers", "CLIPTokenizer");
    member(index, "tokenizer_2", "transformers", "T5TokenizerFast");
    member(index, "transformer", "diffusers", checkpoint.family().transformer().className());
    member(index, "vae", "diffusers", "AutoencoderKL");
    write(index, target.resolve("model_index.json"));
  }

  private static void member(ObjectNode index, String name, String library, String type) {
    index.putArray(name).add(library).add(type);
  }

  /**
   * Writes a tokenizer, wherever it is from.
   *
   * @param tokenizer which one
   * @param target a folder that is there
   * @throws IOException if it cannot be read or written
   */
  public void writeTokenizer(Component tokenizer, Path target) throws IOException {
    Path place = checkpoint.place(tokenizer);
    Path folder = Files.createDirectories(target.resolve(tokenizer.folder()));
    if (Files.isRegularFile(place)) {
      GgufTokenizer own =
          GgufTokenizer.read(place, checkpoint.t5().endToken(), checkpoint.t5().padToken());
      Files.write(folder.resolve(TOKENIZER), own.content());
      return;
    }
    for (String name : TOKENIZER_FILES) {
      if (Files.isRegularFile(place.resolve(name))) {
        Files.copy(place.resolve(name), folder.resolve(name));
      }
    }
  }

  private ObjectNode transformer() {
    TransformerConfig config = checkpoint.transformer();
    ObjectNode json = NODES.objectNode();
    json.put("_class_name", checkpoint.family().transformer().className());
    json.put("attention_head_dim", config.headDim());
    addAll(json.putArray("axes_dims_rope"), config.rotaryAxes());
    json.put("guidance_embeds", config.guidance());
    json.put("in_channels", config.inputChannels());
    json.put("joint_attention_dim", config.textDim());
    json.put("num_attention_heads", config.heads());
    json.put("num_layers", config.doubleBlocks());
    json.put("num_single_layers", config.singleBlocks());
    json.put("patch_size", 1);
    return json.put("pooled_projection_dim", config.pooledDim());
  }

  private ObjectNode clip() {
    ClipTextConfig config = checkpoint.clip();
    ObjectNode json = NODES.objectNode();
    json.putArray("architectures").add("CLIPTextModel");
    json.put("model_type", "clip_text_model");
    json.put("hidden_act", config.activation());
    json.put("hidden_size", config.width());
    json.put("intermediate_size", config.innerWidth());
    json.put("layer_norm_eps", config.epsilon());
    json.put("max_position_embeddings", config.positions());
    json.put("num_attention_heads", config.heads());
    json.put("num_hidden_layers", config.layers());
    json.put("projection_dim", config.width());
    json.put("eos_token_id", config.endToken());
    return json.put("vocab_size", config.vocabulary());
  }

  private ObjectNode t5() {
    T5Config config = checkpoint.t5();
    ObjectNode json = NODES.objectNode();
    json.putArray("architectures").add("T5EncoderModel");
    json.put("model_type", "t5");
    json.put("feed_forward_proj", "gated-gelu");
    json.put("dense_act_fn", "gelu_new");
    json.put("is_gated_act", true);
    json.put("d_ff", config.innerWidth());
    json.put("d_kv", config.headDim());
    json.put("d_model", config.width());
    json.put("layer_norm_epsilon", config.epsilon());
    json.put("num_heads", config.heads());
    json.put("num_layers", config.layers());
    json.put("relative_attention_max_distance", config.maxDistance());
    json.put("relative_attention_num_buckets", config.buckets());
    json.put("eos_token_id", config.endToken());
    json.put("pad_token_id", config.padToken());
    json.put("tie_word_embeddings", false);
    return json.put("vocab_size", config.vocabulary());
  }

  private ObjectNode vae() {
    VaeConfig config = checkpoint.vae();
    ObjectNode json = NODES.objectNode();
    json.put("_class_name", "AutoencoderKL");
    json.put("act_fn", "silu");
    addAll(json.putArray("block_out_channels"), config.channels());
    ArrayNode down = json.putArray("down_block_types");
    ArrayNode up = json.putArray("up_block_types");
    for (int i = 0; i < config.channels().size(); i++) {
      down.add("DownEncoderBlock2D");
      up.add("UpDecoderBlock2D");
    }
    json.put("force_upcast", true);
    json.put("in_channels", 3);
    json.put("latent_channels", config.latentChannels());
    json.put("layers_per_block", config.layersPerBlock());
    json.put("mid_block_add_attention", true);
    json.put("norm_num_groups", config.groups());
    json.put("out_channels", 3);
    json.put("sample_size", config.sampleSize());
    json.put("scaling_factor", config.scalingFactor());
    json.put("shift_factor", config.shiftFactor());
    json.put("use_post_quant_conv", false);
    return json.put("use_quant_conv", false);
  }

  private static void addAll(ArrayNode array, List<Integer> values) {
    values.forEach(array::add);
  }

  private static void write(ObjectNode json, Path file) throws IOException {
    Files.write(file, JsonTrees.utf8(json));
  }
}
