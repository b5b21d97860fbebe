package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.util.Optional;

/**
 * Compares the numbers of a configuration with what the network's tensors say of them, before
 * anything of their size is made.
 */
public final class NetworkSizes {

  /** Blocks of one kind; the longest chains that there are have about a hundred. */
  private static final int MOST_BLOCKS = 1024;

  /** Channels of an activation; T5 has 10240. */
  private static final int MOST_CHANNELS = 1 << 20;

  /** Positions of a text; CLIP has 77. */
  private static final int MOST_POSITIONS = 1 << 16;

  private final String configuration;
  private final Optional<TensorSource> weights;

  private NetworkSizes(String configuration, Optional<TensorSource> weights) {
    this.configuration = configuration;
    this.weights = weights;
  }

  /**
   * Checks a configuration.
   *
   * @param checkpoint whose
   * @param network which network
   * @param weights its tensors by diffusers' names; empty where they are not known by name
   * @throws ModelException if the configuration speaks of more, or of other sizes, than there is
   */
  public static void check(
      Checkpoint checkpoint, Component network, Optional<TensorSource> weights) {
    NetworkSizes sizes = new NetworkSizes(checkpoint.configurationSource(network), weights);
    switch (network) {
      case TRANSFORMER -> sizes.check(checkpoint.transformer());
      case TEXT_ENCODER -> sizes.check(checkpoint.clip());
      case TEXT_ENCODER_2 -> sizes.check(checkpoint.t5());
      case VAE_ENCODER -> sizes.checkEncoder(checkpoint.vae());
      case VAE_DECODER -> sizes.checkDecoder(checkpoint.vae());
      case TOKENIZER, TOKENIZER_2 -> throw new IllegalArgumentException(network + " is no network");
    }
  }

  private void check(TransformerConfig config) {
    blocks("num_layers", config.doubleBlocks(), "transformer_blocks.");
    blocks("num_single_layers", config.singleBlocks(), "single_transformer_blocks.");
    elements("attention_head_dim", config.headDim(), "transformer_blocks.0.attn.norm_q.weight");
    elements("num_attention_heads' times 'attention_head_dim", config.width(), "x_embedder.bias");
    most("num_attention_heads' times 'attention_head_dim", config.width(), MOST_CHANNELS);
    columns("in_channels", config.inputChannels(), "x_embedder");
    columns("joint_attention_dim", config.textDim(), "context_embedder");
    columns("pooled_projection_dim", config.pooledDim(), "time_text_embed.text_embedder.linear_1");
  }

  private void check(ClipTextConfig config) {
    blocks("num_hidden_layers", config.layers(), "text_model.encoder.layers.");
    elements("hidden_size", config.width(), "text_model.final_layer_norm.bias");
    elements("intermediate_size", config.innerWidth(), "text_model.encoder.layers.0.mlp.fc1.bias");
    rows("vocab_size", config.vocabulary(), "text_model.embeddings.token_embedding.weight");
    rows(
        "max_position_embeddings",
        config.positions(),
        "text_model.embeddings.position_embedding.weight");
    most("max_position_embeddings", config.positions(), MOST_POSITIONS);
    most("hidden_size", config.width(), MOST_CHANNELS);
    most("intermediate_size", config.innerWidth(), MOST_CHANNELS);
  }

  private void check(T5Config config) {
    blocks("num_layers", config.layers(), "encoder.block.");
    elements("d_model", config.width(), "encoder.final_layer_norm.weight");
    rows("vocab_size", config.vocabulary(), "shared.weight");
    rows("d_ff", config.innerWidth(), "encoder.block.0.layer.1.DenseReluDense.wi_0.weight");
    rows(
        "num_heads' times 'd_kv",
        (long) config.heads() * config.headDim(),
        "encoder.block.0.layer.0.SelfAttention.q.weight");
    most("num_heads' times 'd_kv", config.heads() * config.headDim(), MOST_CHANNELS);
    most("d_ff", config.innerWidth(), MOST_CHANNELS);
    rows(
        "relative_attention_num_buckets",
        config.buckets(),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
  }

  private void checkEncoder(VaeConfig config) {
    blocks("layers_per_block", config.layersPerBlock(), "encoder.down_blocks.0.resnets.");
    elements("block_out_channels", config.channels().get(0), "encoder.conv_in.bias");
  }

  /** The encoder in the same file tells of layers what the decoder has one more of. */
  private void checkDecoder(VaeConfig config) {
    blocks("layers_per_block", config.layersPerBlock(), "encoder.down_blocks.0.resnets.");
    most("layers_per_block", config.layersPerBlock(), MOST_BLOCKS);
    elements("block_out_channels", config.channels().get(0), "decoder.conv_norm_out.bias");
  }

  /** Fewer are possible: some let CLIP end before its last layer. */
  private void blocks(String key, int configured, String prefix) {
    if (weights.isPresent()) {
      int stored = new TensorNames(weights.get().tensors().keySet()).blocks(prefix);
      if (stored < configured && stored > 0) {
        throw contradiction(key, configured, stored + " ('" + prefix + (stored - 1) + "...' last)");
      }
    }
    most(key, configured, MOST_BLOCKS);
  }

  private void most(String key, int configured, int most) {
    if (configured > most) {
      throw new ModelException(
          configuration
              + ": '"
              + key
              + "': expected at most "
              + most
              + ", found "
              + configured
              + "; use the configuration that belongs to the weights");
    }
  }

  /** By a tensor of one dimension, which tells it for sure. */
  private void elements(String key, long configured, String name) {
    shape(name)
        .filter(shape -> shape.rank() == 1 && shape.dimension(0) != configured)
        .ifPresent(shape -> refuse(key, configured, name, shape, shape.dimension(0)));
  }

  private void rows(String key, long configured, String name) {
    shape(name)
        .filter(shape -> shape.rank() == 2 && shape.dimension(0) != configured)
        .ifPresent(shape -> refuse(key, configured, name, shape, shape.dimension(0)));
  }

  /** Of a linear layer, whose bias tells that its weight is not turned over or damaged. */
  private void columns(String key, long configured, String module) {
    String name = module + ".weight";
    Optional<Shape> bias = shape(module + ".bias");
    shape(name)
        .filter(shape -> shape.rank() == 2 && shape.dimension(1) != configured)
        .filter(shape -> bias.filter(b -> b.equals(Shape.of(shape.dimension(0)))).isPresent())
        .ifPresent(shape -> refuse(key, configured, name, shape, shape.dimension(1)));
  }

  private Optional<Shape> shape(String name) {
    return weights.map(source -> source.tensors().get(name)).map(TensorInfo::shape);
  }

  private void refuse(String key, long configured, String name, Shape shape, long stored) {
    throw contradiction(key, configured, stored + " ('" + name + "' " + shape + ")");
  }

  private ModelException contradiction(String key, long configured, String stored) {
    return new ModelException(
        configuration
            + ": '"
            + key
            + "': found "
            + configured
            + ", but the tensors of "
            + weights.orElseThrow().files().get(0)
            + " say "
            + stored
            + "; use the configuration that belongs to the weights");
  }
}
