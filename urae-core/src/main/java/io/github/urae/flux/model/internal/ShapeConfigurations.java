package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The configuration of a network whose file has none beside it: what the shapes of its tensors say,
 * and for the rest that of a model that is known, or of FLUX.1.
 */
final class ShapeConfigurations {

  /** Of CLIP, whichever size: no tensor tells how many heads there are. */
  private static final int CLIP_HEAD = 64;

  private static final String CLIP = "text_model.";
  private static final String CLIP_LAYERS = CLIP + "encoder.layers.";

  private static final String T5_BLOCKS = "encoder.block.";
  private static final String T5_FIRST = T5_BLOCKS + "0.layer.";
  private static final String T5_BIAS = "SelfAttention.relative_attention_bias.weight";

  private final ModelFamily family;
  private final Path file;
  private final Map<String, TensorInfo> tensors;
  private final TensorNames names;

  /**
   * @param family what the network belongs to
   * @param file for messages
   * @param tensors the network's, by diffusers' names
   */
  ShapeConfigurations(ModelFamily family, Path file, Map<String, TensorInfo> tensors) {
    this.family = family;
    this.file = file;
    this.tensors = tensors;
    this.names = new TensorNames(tensors.keySet());
  }

  /**
   * Configures a transformer.
   *
   * @param known that of the model whose transformer this one replaces, which is taken where the
   *     shapes are the same; how heads turn is in no tensor
   * @throws ModelException if a tensor is missing, or this is no transformer of the family
   */
  TransformerConfig transformer(Optional<TransformerConfig> known) {
    Shape input = matrix("x_embedder.weight");
    int channels = size(input, 1);
    String relative = family.transformer().relatives().get(channels);
    if (channels != family.transformer().inputChannels()) {
      throw unsupported(
          "x_embedder.weight",
          input,
          family.transformer().inputChannels()
              + " columns"
              + (relative == null ? "" : " (this is " + relative + ", which is not supported)"));
    }
    int doubleBlocks = names.blocks("transformer_blocks.");
    int singleBlocks = names.blocks("single_transformer_blocks.");
    String scale =
        (doubleBlocks > 0 ? "transformer_blocks.0." : "single_transformer_blocks.0.")
            + "attn.norm_q.weight";
    int headDim = length(scale);
    int width = size(input, 0);
    if (width % headDim != 0) {
      throw unsupported(scale, shape(scale), "a divisor of the width, " + width);
    }
    String module = family.transformer().guidanceModule() + ".";
    TransformerConfig found =
        new TransformerConfig(
            channels,
            rows("proj_out.weight"),
            doubleBlocks,
            singleBlocks,
            width / headDim,
            headDim,
            known
                .filter(own -> own.headDim() == headDim)
                .map(TransformerConfig::rotaryAxes)
                .orElseGet(() -> axes(scale, headDim)),
            textDim(),
            pooledDim(),
            names.anyStartsWith(module));
    if (found.outputChannels() != family.latents().packedChannels()) {
      throw unsupported(
          "proj_out.weight", shape("proj_out.weight"), family.latents().packedChannels() + " rows");
    }
    return found;
  }

  /** Returns the width of T5's embeddings that a transformer reads. */
  int textDim() {
    return columns("context_embedder.weight");
  }

  /** Returns the width of CLIP's pooled embedding that a transformer reads. */
  int pooledDim() {
    return columns("time_text_embed.text_embedder.linear_1.weight");
  }

  /** In the proportions of the family's own: 16, 56 and 56 of 128 in FLUX.1. */
  private List<Integer> axes(String scale, int headDim) {
    List<Integer> usual = family.transformer().rotaryAxes();
    int sum = usual.stream().mapToInt(axis -> axis).sum();
    List<Integer> axes = new ArrayList<>();
    for (int axis : usual) {
      long share = (long) axis * headDim;
      if (share % (2L * sum) != 0) {
        throw unsupported(
            scale,
            shape(scale),
            "a length that can be shared as "
                + usual
                + " is, or a config.json beside the file with 'axes_dims_rope'");
      }
      axes.add((int) (share / sum));
    }
    return List.copyOf(axes);
  }

  /**
   * Configures CLIP's text encoder.
   *
   * @param known that of the model whose encoder this one replaces
   * @throws ModelException if a tensor is missing, or it cannot be known how many heads there are
   */
  ClipTextConfig clip(Optional<ClipTextConfig> known) {
    String tokens = CLIP + "embeddings.token_embedding.weight";
    Shape embedding = matrix(tokens);
    int width = size(embedding, 1);
    Optional<ClipTextConfig> like = known.filter(own -> own.width() == width);
    int layers = names.blocks(CLIP_LAYERS);
    if (layers == 0) {
      throw missing(CLIP_LAYERS + "0.mlp.fc1.weight");
    }
    if (like.isEmpty() && width % CLIP_HEAD != 0) {
      throw unsupported(
          tokens,
          embedding,
          "768 columns, as CLIP-L has, or a config.json beside the file that tells the number of"
              + " heads");
    }
    return new ClipTextConfig(
        // A configuration may ask for fewer.
        like.map(own -> Math.min(own.layers(), layers)).orElse(layers),
        like.map(ClipTextConfig::heads).orElse(width / CLIP_HEAD),
        width,
        rows(CLIP_LAYERS + "0.mlp.fc1.weight"),
        size(embedding, 0),
        rows(CLIP + "embeddings.position_embedding.weight"),
        like.map(ClipTextConfig::epsilon).orElse(1e-5),
        like.map(ClipTextConfig::activation).orElse("quick_gelu"),
        like.map(ClipTextConfig::endToken).orElse(ClipTextConfig.LEGACY_END_TOKEN));
  }

  /**
   * Configures T5's encoder.
   *
   * @param known that of the model whose encoder this one replaces
   * @throws ModelException if a tensor is missing, or it is one of T5's relatives
   */
  T5Config t5(Optional<T5Config> known) {
    Shape embedding = matrix("shared.weight");
    int layers = names.blocks(T5_BLOCKS);
    if (names.anyStartsWith(T5_BLOCKS + "1.layer.0." + T5_BIAS)) {
      throw unsupported(
          T5_BLOCKS + "1.layer.0." + T5_BIAS,
          shape(T5_BLOCKS + "1.layer.0." + T5_BIAS),
          "such a table in the first block alone (this is UMT5, which FLUX.1 does not use)");
    }
    Shape table = matrix(T5_FIRST + "0." + T5_BIAS);
    int buckets = size(table, 0);
    int heads = size(table, 1);
    String queries = T5_FIRST + "0.SelfAttention.q.weight";
    int inner = rows(queries);
    int maxDistance = known.map(T5Config::maxDistance).orElse(128);
    if (buckets % 4 != 0 || maxDistance <= buckets / 4) {
      throw unsupported(T5_FIRST + "0." + T5_BIAS, table, "32 rows, as T5 has");
    }
    if (inner % heads != 0) {
      throw unsupported(queries, shape(queries), "a multiple of " + heads + " rows, one a head");
    }
    return new T5Config(
        layers,
        heads,
        inner / heads,
        size(embedding, 1),
        rows(T5_FIRST + "1.DenseReluDense.wi_0.weight"),
        size(embedding, 0),
        known.map(T5Config::epsilon).orElse(1e-6),
        buckets,
        maxDistance,
        known.map(T5Config::endToken).orElse(1L),
        known.map(T5Config::padToken).orElse(0L));
  }

  /**
   * Configures an autoencoder.
   *
   * @param known that of the model whose autoencoder this one replaces; how latents are scaled is
   *     in no tensor
   * @throws ModelException if a tensor is missing, or latents are not the family's
   */
  VaeConfig vae(Optional<VaeConfig> known) {
    String latents = "decoder.conv_in.weight";
    Shape shape = shape(latents);
    int latentChannels = family.latents().channels();
    if (shape.rank() != 4 || shape.dimension(1) != latentChannels) {
      throw unsupported(
          latents,
          shape,
          latentChannels
              + " channels, as "
              + family.name()
              + "'s autoencoder has (4 are Stable Diffusion's, 32 are FLUX.2's)");
    }
    if (names.anyStartsWith("post_quant_conv.")) {
      throw unsupported(
          "post_quant_conv.weight", shape("post_quant_conv.weight"), "none in " + family.name());
    }
    int levels = 1 + Integer.numberOfTrailingZeros(family.latents().pixelsPerLatent());
    List<Integer> channels = new ArrayList<>();
    for (int level = levels - 1; level >= 0; level--) {
      channels.add(length("decoder.up_blocks." + level + ".resnets.0.conv1.bias"));
    }
    if (names.blocks("decoder.up_blocks.") != levels) {
      throw unsupported(latents, shape, levels + " levels, found another number");
    }
    VaeConfig usual =
        known.filter(own -> own.channels().equals(channels)).orElse(family.autoencoder());
    int groups = usual.groups();
    if (channels.stream().anyMatch(count -> count % groups != 0)) {
      throw new ModelException(
          file
              + ": the levels of the autoencoder have "
              + channels
              + " channels, which are no multiples of "
              + family.name()
              + "'s "
              + groups
              + " groups; put the autoencoder's config.json beside the file, which tells"
              + " 'norm_num_groups'");
    }
    return new VaeConfig(
        latentChannels,
        List.copyOf(channels),
        // The decoder has one more a level than the encoder.
        Math.max(1, names.blocks("decoder.up_blocks.0.resnets.") - 1),
        groups,
        usual.sampleSize(),
        usual.scalingFactor(),
        usual.shiftFactor());
  }

  private int rows(String name) {
    return size(matrix(name), 0);
  }

  private int columns(String name) {
    return size(matrix(name), 1);
  }

  private int length(String name) {
    Shape shape = shape(name);
    if (shape.rank() != 1) {
      throw unsupported(name, shape, "one dimension");
    }
    return size(shape, 0);
  }

  private Shape matrix(String name) {
    Shape shape = shape(name);
    if (shape.rank() != 2) {
      throw unsupported(name, shape, "two dimensions");
    }
    return shape;
  }

  private int size(Shape shape, int dimension) {
    long size = shape.dimension(dimension);
    if (size < 1 || size > Integer.MAX_VALUE) {
      throw new ModelException(
          file + ": found a tensor of shape " + shape + ", beyond any network");
    }
    return (int) size;
  }

  private Shape shape(String name) {
    TensorInfo info = tensors.get(name);
    if (info == null) {
      throw missing(name);
    }
    return info.shape();
  }

  private ModelException missing(String name) {
    return new ModelException(file + ": expected a tensor '" + name + "', found none");
  }

  private ModelException unsupported(String name, Shape found, String expected) {
    return new ModelException(
        file + ": tensor '" + name + "': expected " + expected + ", found shape " + found);
  }
}
