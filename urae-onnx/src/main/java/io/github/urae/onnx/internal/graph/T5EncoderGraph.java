package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.tensor.ElementType;
import java.util.List;

/**
 * T5's encoder (version 1.1). Inputs: {@code input_ids} [B, T] and {@code relative_buckets} [T, T]
 * ({@link T5Config#relativePositionBuckets}), int64. Output: {@code last_hidden_state} [B, T,
 * 4096], float32. Padding is not masked, as FLUX was trained.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/models/t5/modeling_t5.py">
 *     transformers: {@code T5EncoderModel}</a>
 */
public final class T5EncoderGraph {

  private final T5Config config;
  private final GraphBuilder g;
  private final int width;
  private final long attentionWidth;

  private final boolean standalone;

  private T5EncoderGraph(
      T5Config config, ElementType type, LinearLayers layers, boolean standalone) {
    this.config = config;
    this.standalone = standalone;
    this.g = new GraphBuilder(Component.TEXT_ENCODER_2.id(), type, layers);
    this.width = config.width();
    this.attentionWidth = (long) config.heads() * config.headDim();
  }

  /**
   * Builds the graph.
   *
   * @param config the checkpoint's configuration
   * @param type F32 or BF16, {@link #typeFor}
   * @return the graph
   */
  public static NetworkGraph build(T5Config config, ElementType type) {
    return build(config, type, LinearLayers.PLAIN);
  }

  /**
   * Builds a graph whose linear layers suit the weights as they are stored.
   *
   * @param config the checkpoint's configuration
   * @param type as for {@link #build(T5Config, ElementType)}
   * @param layers the choice of ways
   * @return the graph
   */
  public static NetworkGraph build(T5Config config, ElementType type, LinearLayers layers) {
    return new T5EncoderGraph(config, type, layers, false).build();
  }

  /**
   * Builds a graph that works out the buckets of positions itself, so that {@code input_ids} is its
   * only input, as in Optimum's exports.
   *
   * @param config the checkpoint's configuration
   * @param type F32 or BF16
   * @return the graph
   */
  public static NetworkGraph buildStandalone(T5Config config, ElementType type) {
    return new T5EncoderGraph(config, type, LinearLayers.PLAIN, true).build();
  }

  /**
   * Returns the type to compute in where another is asked for: the feed-forward networks of T5's
   * late layers overflow in half precision.
   *
   * @param asked the other networks'
   * @return F32 in place of F16
   */
  public static ElementType typeFor(ElementType asked) {
    return asked == ElementType.F16 ? ElementType.F32 : asked;
  }

  private NetworkGraph build() {
    String ids = g.input("input_ids", ElementType.I64, "batch", "text");
    String hidden = g.rows("shared.weight", ids, config.vocabulary(), width);
    String shape = g.concat(0, g.dimension(ids, 0), g.dimension(ids, 1), g.longs(-1));
    String bias = positionBias(ids);
    for (int i = 0; i < config.layers(); i++) {
      hidden = layer("encoder.block." + i, hidden, shape, bias);
    }
    String normalised = norm("encoder.final_layer_norm", hidden);
    g.output(
        "last_hidden_state",
        g.cast(normalised, g.type(), ElementType.F32),
        ElementType.F32,
        "batch",
        "text",
        width);
    return g.build();
  }

  /** Added to the scores of every layer: [1, heads, T, T]. */
  private String positionBias(String ids) {
    String buckets =
        standalone ? buckets(ids) : g.input("relative_buckets", ElementType.I64, "text", "text");
    String table =
        g.weight(
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
            config.buckets(),
            config.heads());
    String bias = g.node("Gather", List.of(table, buckets));
    String headsFirst = g.node("Transpose", List.of(bias), attribute("perm", new int[] {2, 0, 1}));
    return g.node("Unsqueeze", List.of(headsFirst, g.longs(0)));
  }

  /** Buckets by distance from a table; beyond its ends they stay the same: [T, T]. */
  private String buckets(String ids) {
    int farthest = config.maxDistance();
    int side = farthest + 1;
    long[] square = config.relativePositionBuckets(side);
    long[] byDistance = new long[2 * farthest + 1];
    for (int distance = 0; distance <= farthest; distance++) {
      byDistance[farthest - distance] = square[distance * side];
      byDistance[farthest + distance] = square[distance];
    }
    String length = g.node("Squeeze", List.of(g.dimension(ids, 1), g.longs(0)));
    String positions = g.node("Range", List.of(g.scalar(0), length, g.scalar(1)));
    String distances =
        g.node(
            "Sub",
            List.of(
                g.node("Unsqueeze", List.of(positions, g.longs(0))),
                g.node("Unsqueeze", List.of(positions, g.longs(1)))));
    String within = g.node("Clip", List.of(distances, g.scalar(-farthest), g.scalar(farthest)));
    return g.node("Gather", List.of(g.longs(byDistance), g.add(within, g.longs(farthest))));
  }

  private String layer(String block, String input, String shape, String bias) {
    String attention = block + ".layer.0.SelfAttention.";
    String normalised = norm(block + ".layer.0.layer_norm", input);
    String attended =
        g.microsoftNode(
            "MultiHeadAttention",
            List.of(
                project(attention + "q", normalised, width, attentionWidth, shape),
                project(attention + "k", normalised, width, attentionWidth, shape),
                project(attention + "v", normalised, width, attentionWidth, shape),
                "",
                "",
                bias),
            attribute("num_heads", config.heads()),
            attribute("scale", 1f));
    String hidden = g.add(input, project(attention + "o", attended, attentionWidth, width, shape));

    String feedForward = block + ".layer.1.DenseReluDense.";
    String second = norm(block + ".layer.1.layer_norm", hidden);
    String gate =
        g.geluTanh(
            g.linearWithoutBias(
                LayerRole.ENCODER, feedForward + "wi_0", second, width, config.innerWidth()));
    String inner =
        g.multiply(
            gate,
            g.linearWithoutBias(
                LayerRole.ENCODER, feedForward + "wi_1", second, width, config.innerWidth()));
    return g.add(hidden, project(feedForward + "wo", inner, config.innerWidth(), width, shape));
  }

  private String project(String prefix, String x, long inputs, long outputs, String shape) {
    return g.reshape(g.linearWithoutBias(LayerRole.ENCODER, prefix, x, inputs, outputs), shape);
  }

  private String norm(String prefix, String x) {
    return g.rmsNorm(g.weight(prefix + ".weight", width), x, config.epsilon());
  }
}
