package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.flux.Profile;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.tensor.ElementType;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The transformer of FLUX.1: predicts the velocity of noisy latents.
 *
 * <p>Inputs, all float32: {@code hidden_states} [B, I, 64], {@code encoder_hidden_states} [B, T,
 * textDim], {@code pooled_projections} [B, pooledDim], {@code timestep} [B] (sigma, in (0, 1]),
 * with a guidance embedding {@code guidance} [B], and the rotary tables {@code query_cos}, {@code
 * query_sin}, {@code key_cos}, {@code key_sin} [T + I, headDim/2]. Output: {@code velocity} [B, I,
 * 64], float32.
 *
 * <p>Rotary tables are inputs so that one session serves every size, NTK factor and profile.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/transformers/transformer_flux.py">
 *     diffusers: {@code FluxTransformer2DModel}</a>
 */
public final class TransformerGraph {

  private static final double EPSILON = 1e-6;

  /** Width of the sinusoidal embedding of timestep and guidance. */
  private static final int SINUSOID = 256;

  private static final double MAX_PERIOD = 10_000;

  /** A value's sequence and the shapes that its 2-D form is brought back to. */
  private record Stream(String hidden, String shape, String headsShape) {
    Stream with(String newHidden) {
      return new Stream(newHidden, shape, headsShape);
    }
  }

  /** What adaptive normalisation takes from the conditioning, each [B, 1, C]. */
  private record Modulation(String shift, String scale, String gate) {}

  private record Tables(String queryCos, String querySin, String keyCos, String keySin) {}

  private final TransformerConfig config;
  private final GraphBuilder g;
  private final int width;

  /** Computes the rotary tables in the graph; empty where they are inputs. */
  private static final float LARGEST_HALF = 65504;

  private final Optional<Profile> ownTables;

  private String one;

  private TransformerGraph(
      TransformerConfig config, ElementType type, LinearLayers layers, Optional<Profile> tables) {
    this.config = config;
    this.ownTables = tables;
    this.g = new GraphBuilder(Component.TRANSFORMER.id(), type, layers);
    this.width = config.width();
  }

  /**
   * Builds the graph.
   *
   * @param config the checkpoint's configuration
   * @param type F32, BF16 or F16: type of the weights and of the arithmetic, except for rotary
   *     positions and sinusoids, which are float32
   * @return the graph
   */
  public static NetworkGraph build(TransformerConfig config, ElementType type) {
    return build(config, type, LinearLayers.PLAIN);
  }

  /**
   * Builds a graph whose linear layers suit the weights as they are stored.
   *
   * @param config the checkpoint's configuration
   * @param type as for {@link #build(TransformerConfig, ElementType)}
   * @param layers the choice of ways
   * @return the graph
   */
  public static NetworkGraph build(
      TransformerConfig config, ElementType type, LinearLayers layers) {
    return new TransformerGraph(config, type, layers, Optional.empty()).build();
  }

  /**
   * Builds a graph that needs none of this library: as Optimum exports it, it takes positions,
   * {@code txt_ids} [T, 3] and {@code img_ids} [I, 3], int64, instead of rotary tables, and calls
   * its output {@code out_hidden_states}.
   *
   * @param config the checkpoint's configuration
   * @param type as for {@link #build(TransformerConfig, ElementType)}
   * @param profile NTK factor and proportional attention, which are fixed in the graph
   * @return the graph
   */
  public static NetworkGraph buildStandalone(
      TransformerConfig config, ElementType type, Profile profile) {
    return new TransformerGraph(config, type, LinearLayers.PLAIN, Optional.of(profile)).build();
  }

  private NetworkGraph build() {
    one = g.floats(g.type(), 1);

    String latents =
        g.input("hidden_states", ElementType.F32, "batch", "image", config.inputChannels());
    String text =
        g.input("encoder_hidden_states", ElementType.F32, "batch", "text", config.textDim());
    String batch = g.dimension(latents, 0);
    String textTokens = g.dimension(text, 1);
    String conditioning = conditioning();
    Tables tables = tables(batch);

    Stream image = stream(batch, g.dimension(latents, 1));
    Stream context = stream(batch, textTokens);
    image = image.with(embed("x_embedder", typed(latents), config.inputChannels(), image));
    context = context.with(embed("context_embedder", typed(text), config.textDim(), context));
    for (int i = 0; i < config.doubleBlocks(); i++) {
      String block = "transformer_blocks." + i;
      List<Stream> both = doubleBlock(block, image, context, conditioning, tables, textTokens);
      image = both.get(0);
      context = both.get(1);
    }

    Stream joint = stream(batch, g.longs(-1));
    joint = joint.with(g.concat(1, context.hidden(), image.hidden()));
    for (int i = 0; i < config.singleBlocks(); i++) {
      joint = singleBlock("single_transformer_blocks." + i, joint, conditioning, tables);
    }

    String imageOnly = g.slice(joint.hidden(), 1, textTokens, g.longs(Long.MAX_VALUE));
    String velocity = output(image.with(imageOnly), conditioning);
    String name = ownTables.isPresent() ? "out_hidden_states" : "velocity";
    g.output(name, velocity, ElementType.F32, "batch", "image", config.outputChannels());
    return g.build();
  }

  private String typed(String float32) {
    return g.cast(float32, ElementType.F32, g.type());
  }

  private Stream stream(String batch, String tokens) {
    return new Stream(
        null,
        g.concat(0, batch, tokens, g.longs(width)),
        g.concat(0, batch, tokens, g.longs(config.heads(), config.headDim())));
  }

  private String embed(String prefix, String x, long inputs, Stream stream) {
    return g.reshape(g.linear(LayerRole.EDGE, prefix, x, inputs, width), stream.shape());
  }

  /** A layer of a block, back in its stream's shape. */
  private String project(String prefix, String x, long inputs, Stream stream) {
    return g.reshape(g.linear(LayerRole.BLOCK, prefix, x, inputs, width), stream.shape());
  }

  /** The sum of all embeddings, after the SiLU that every use of it begins with: [B, C]. */
  private String conditioning() {
    String timestep = g.input("timestep", ElementType.F32, "batch");
    String sum = sinusoidEmbedding("time_text_embed.timestep_embedder", timestep);
    if (config.guidance()) {
      String guidance = g.input("guidance", ElementType.F32, "batch");
      sum = g.add(sum, sinusoidEmbedding("time_text_embed.guidance_embedder", guidance));
    }
    String pooled = g.input("pooled_projections", ElementType.F32, "batch", config.pooledDim());
    String embedded = twoLayers("time_text_embed.text_embedder", typed(pooled), config.pooledDim());
    return g.silu(g.add(sum, embedded));
  }

  private String twoLayers(String prefix, String x, long inputs) {
    String hidden = g.silu(g.linear(LayerRole.EDGE, prefix + ".linear_1", x, inputs, width));
    return g.linear(LayerRole.EDGE, prefix + ".linear_2", hidden, width, width);
  }

  /** Cosines, then sines, of 1000 x at frequencies from 1 down to 1/10000. */
  private String sinusoidEmbedding(String prefix, String x) {
    int half = SINUSOID / 2;
    float[] frequencies = new float[half];
    for (int i = 0; i < half; i++) {
      float exponent = (float) -Math.log(MAX_PERIOD) * i / half;
      frequencies[i] = (float) Math.exp(exponent);
    }
    // The reference rounds the product to the element type (988.41 to 988 in bfloat16).
    String thousandfold = g.multiply(typed(x), g.floats(g.type(), 1000));
    String column = g.reshape(g.cast(thousandfold, g.type(), ElementType.F32), g.longs(-1, 1));
    String angles = g.multiply(column, g.floats(ElementType.F32, frequencies));
    String sinusoid = g.concat(1, g.node("Cos", List.of(angles)), g.node("Sin", List.of(angles)));
    return twoLayers(prefix, typed(sinusoid), SINUSOID);
  }

  private Tables tables(String batch) {
    String perBatch = g.concat(0, batch, g.longs(1, 1));
    if (ownTables.isPresent()) {
      return computedTables(perBatch, ownTables.get());
    }
    return new Tables(
        table("query_cos", perBatch),
        table("query_sin", perBatch),
        table("key_cos", perBatch),
        table("key_sin", perBatch));
  }

  /** The arithmetic of {@link RotaryTables}, on positions. */
  private Tables computedTables(String perBatch, Profile profile) {
    String ids =
        g.concat(
            0,
            g.input("txt_ids", ElementType.I64, "text", 3),
            g.input("img_ids", ElementType.I64, "image", 3));
    String positions = g.cast(ids, ElementType.I64, ElementType.F64);
    String[] angles = new String[config.rotaryAxes().size()];
    for (int axis = 0; axis < angles.length; axis++) {
      double[] frequencies =
          RotaryTables.frequencies(config.rotaryAxes().get(axis), profile.ntkFactor());
      String column = g.slice(positions, 1, g.longs(axis), g.longs(axis + 1));
      angles[axis] = g.multiply(column, g.doubles(frequencies));
    }
    String all = g.concat(1, angles);
    String cos = g.cast(g.node("Cos", List.of(all)), ElementType.F64, ElementType.F32);
    String sin = g.cast(g.node("Sin", List.of(all)), ElementType.F64, ElementType.F32);
    String queryCos = cos;
    String querySin = sin;
    if (profile.proportionalAttention()) {
      String tokens = g.cast(g.dimension(ids, 0), ElementType.I64, ElementType.F64);
      String ratio =
          g.node(
              "Div",
              List.of(
                  g.node("Log", List.of(tokens)),
                  g.doubles(Math.log((double) profile.nativeTokens()))));
      String factor = g.cast(g.node("Sqrt", List.of(ratio)), ElementType.F64, ElementType.F32);
      queryCos = g.multiply(cos, factor);
      querySin = g.multiply(sin, factor);
    }
    return new Tables(
        g.node("Expand", List.of(queryCos, perBatch)),
        g.node("Expand", List.of(querySin, perBatch)),
        g.node("Expand", List.of(cos, perBatch)),
        g.node("Expand", List.of(sin, perBatch)));
  }

  /** RotaryEmbedding wants a table for each element of the batch. */
  private String table(String name, String perBatch) {
    String table = g.input(name, ElementType.F32, "tokens", config.headDim() / 2);
    return g.node("Expand", List.of(table, perBatch));
  }

  private List<Stream> doubleBlock(
      String block,
      Stream image,
      Stream context,
      String conditioning,
      Tables tables,
      String textTokens) {
    g.begin(image.hidden());
    List<Modulation> imageModulation = modulation(block + ".norm1.linear", conditioning, 2);
    List<Modulation> contextModulation =
        modulation(block + ".norm1_context.linear", conditioning, 2);
    Stream x = image.with(normalise(image.hidden(), imageModulation.get(0)));
    Stream c = context.with(normalise(context.hidden(), contextModulation.get(0)));

    String attn = block + ".attn.";
    String query =
        g.concat(
            1,
            heads(attn + "add_q_proj", attn + "norm_added_q", c),
            heads(attn + "to_q", attn + "norm_q", x));
    String key =
        g.concat(
            1,
            heads(attn + "add_k_proj", attn + "norm_added_k", c),
            heads(attn + "to_k", attn + "norm_k", x));
    String value =
        g.concat(
            1,
            project(attn + "add_v_proj", c.hidden(), width, c),
            project(attn + "to_v", x.hidden(), width, x));
    String attended = attention(query, key, value, tables);
    String contextPart = g.slice(attended, 1, g.longs(0), textTokens);
    String imagePart = g.slice(attended, 1, textTokens, g.longs(Long.MAX_VALUE));

    return List.of(
        residuals(block, ".attn.to_out.0", ".ff", imagePart, image, imageModulation),
        bounded(
            residuals(
                block,
                ".attn.to_add_out",
                ".ff_context",
                contextPart,
                context,
                contextModulation)));
  }

  /** Adds attention's output and the feed-forward network's to a stream. */
  private Stream residuals(
      String block,
      String projection,
      String feedForward,
      String attended,
      Stream stream,
      List<Modulation> modulation) {
    String projected = project(block + projection, attended, width, stream);
    String hidden = g.add(stream.hidden(), g.multiply(modulation.get(0).gate(), projected));
    String normalised = normalise(hidden, modulation.get(1));
    String inner =
        g.geluTanh(
            g.linear(
                LayerRole.BLOCK,
                block + feedForward + ".net.0.proj",
                normalised,
                width,
                4L * width));
    String outer = project(block + feedForward + ".net.2", inner, 4L * width, stream);
    return stream.with(g.add(hidden, g.multiply(modulation.get(1).gate(), outer)));
  }

  private Stream singleBlock(String block, Stream stream, String conditioning, Tables tables) {
    g.begin(stream.hidden());
    Modulation modulation = modulation(block + ".norm.linear", conditioning, 1).get(0);
    Stream x = stream.with(normalise(stream.hidden(), modulation));
    String query = heads(block + ".attn.to_q", block + ".attn.norm_q", x);
    String key = heads(block + ".attn.to_k", block + ".attn.norm_k", x);
    String value = project(block + ".attn.to_v", x.hidden(), width, x);
    String attended = attention(query, key, value, tables);
    String inner =
        g.geluTanh(g.linear(LayerRole.BLOCK, block + ".proj_mlp", x.hidden(), width, 4L * width));
    String both = g.concat(1, g.reshape(attended, g.longs(-1, width)), inner);
    String projected = project(block + ".proj_out", both, 5L * width, stream);
    return bounded(stream.with(g.add(stream.hidden(), g.multiply(modulation.gate(), projected))));
  }

  /**
   * Keeps infinities out of half precision, where diffusers does: after each single block, and of
   * the text after each double block.
   */
  private Stream bounded(Stream stream) {
    if (g.type() != ElementType.F16) {
      return stream;
    }
    String least = g.floats(ElementType.F16, -LARGEST_HALF);
    String most = g.floats(ElementType.F16, LARGEST_HALF);
    String below = g.node("Min", List.of(stream.hidden(), most));
    return stream.with(g.node("Max", List.of(below, least)));
  }

  /** Projects to queries or keys and normalises each head: [B, S, C]. */
  private String heads(String projection, String norm, Stream stream) {
    String projected = g.linear(LayerRole.BLOCK, projection, stream.hidden(), width, width);
    String perHead = g.reshape(projected, stream.headsShape());
    String scale = g.weight(norm + ".weight", config.headDim());
    return g.reshape(g.rmsNorm(scale, perHead, EPSILON), stream.shape());
  }

  private String attention(String query, String key, String value, Tables tables) {
    return g.attention(
        rotate(query, tables.queryCos(), tables.querySin()),
        rotate(key, tables.keyCos(), tables.keySin()),
        value,
        config.heads());
  }

  private String rotate(String x, String cos, String sin) {
    String rotated =
        g.node(
            "RotaryEmbedding",
            List.of(g.cast(x, g.type(), ElementType.F32), cos, sin),
            attribute("interleaved", 1),
            attribute("num_heads", config.heads()));
    return typed(rotated);
  }

  private List<Modulation> modulation(String prefix, String conditioning, int count) {
    String all = g.linear(LayerRole.MODULATION, prefix, conditioning, width, 3L * count * width);
    List<String> parts = g.split(g.reshape(all, g.longs(-1, 1, 3L * count * width)), 2, 3 * count);
    return IntStream.range(0, count)
        .mapToObj(i -> new Modulation(parts.get(3 * i), parts.get(3 * i + 1), parts.get(3 * i + 2)))
        .toList();
  }

  private String normalise(String x, Modulation modulation) {
    return g.layerNorm(x, g.add(modulation.scale(), one), modulation.shift(), EPSILON);
  }

  private String output(Stream image, String conditioning) {
    String all = g.linear(LayerRole.EDGE, "norm_out.linear", conditioning, width, 2L * width);
    // Here the scale comes first.
    List<String> parts = g.split(g.reshape(all, g.longs(-1, 1, 2L * width)), 2, 2);
    String normalised = normalise(image.hidden(), new Modulation(parts.get(1), parts.get(0), null));
    String projected =
        g.linear(LayerRole.EDGE, "proj_out", normalised, width, config.outputChannels());
    String shape =
        g.concat(
            0,
            g.node("Slice", List.of(image.shape(), g.longs(0), g.longs(2))),
            g.longs(config.outputChannels()));
    return g.cast(g.reshape(projected, shape), g.type(), ElementType.F32);
  }
}
