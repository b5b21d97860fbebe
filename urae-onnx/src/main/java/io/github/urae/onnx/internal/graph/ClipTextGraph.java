package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.tensor.ElementType;
import java.util.List;

/**
 * CLIP's text encoder. Input: {@code input_ids} [B, 77], int64. Output: {@code pooler_output} [B,
 * 768], float32, the final layer norm's output at the end token.
 *
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/models/clip/modeling_clip.py">
 *     transformers: {@code CLIPTextTransformer}</a>
 */
public final class ClipTextGraph {

  private final ClipTextConfig config;
  private final GraphBuilder g;
  private final int width;

  private final boolean standalone;

  private ClipTextGraph(
      ClipTextConfig config, ElementType type, LinearLayers layers, boolean standalone) {
    this.config = config;
    this.standalone = standalone;
    this.g = new GraphBuilder(Component.TEXT_ENCODER.id(), type, layers);
    this.width = config.width();
  }

  /**
   * Builds the graph.
   *
   * @param config the checkpoint's configuration
   * @param type F32, BF16 or F16
   * @return the graph
   */
  public static NetworkGraph build(ClipTextConfig config, ElementType type) {
    return build(config, type, LinearLayers.PLAIN);
  }

  /**
   * Builds a graph whose linear layers suit the weights as they are stored.
   *
   * @param config the checkpoint's configuration
   * @param type as for {@link #build(ClipTextConfig, ElementType)}
   * @param layers the choice of ways
   * @return the graph
   */
  public static NetworkGraph build(ClipTextConfig config, ElementType type, LinearLayers layers) {
    return new ClipTextGraph(config, type, layers, false).build();
  }

  /**
   * Builds a graph with both outputs of Optimum's exports: {@code last_hidden_state} [B, 77, 768],
   * the final layer norm's output, and {@code pooler_output}.
   *
   * @param config the checkpoint's configuration
   * @param type F32, BF16 or F16
   * @return the graph
   */
  public static NetworkGraph buildStandalone(ClipTextConfig config, ElementType type) {
    return new ClipTextGraph(config, type, LinearLayers.PLAIN, true).build();
  }

  private NetworkGraph build() {
    String ids = g.input("input_ids", ElementType.I64, "batch", config.positions());
    String tokens =
        g.rows("text_model.embeddings.token_embedding.weight", ids, config.vocabulary(), width);
    String positions =
        g.weight("text_model.embeddings.position_embedding.weight", config.positions(), width);
    String hidden = g.add(tokens, positions);
    for (int i = 0; i < config.layers(); i++) {
      hidden = layer("text_model.encoder.layers." + i, hidden);
    }
    String normalised = norm("text_model.final_layer_norm", hidden);
    String pooled =
        g.node("GatherND", List.of(normalised, poolingPosition(ids)), attribute("batch_dims", 1));
    if (standalone) {
      g.output(
          "last_hidden_state",
          g.cast(normalised, g.type(), ElementType.F32),
          ElementType.F32,
          "batch",
          config.positions(),
          width);
    }
    g.output(
        "pooler_output",
        g.cast(pooled, g.type(), ElementType.F32),
        ElementType.F32,
        "batch",
        width);
    return g.build();
  }

  private String layer(String prefix, String input) {
    String normalised = norm(prefix + ".layer_norm1", input);
    String attended =
        g.attention(
            project(prefix + ".self_attn.q_proj", normalised),
            project(prefix + ".self_attn.k_proj", normalised),
            project(prefix + ".self_attn.v_proj", normalised),
            config.heads(),
            attribute("unidirectional", 1));
    String hidden = g.add(input, project(prefix + ".self_attn.out_proj", attended));
    String inner =
        activation(
            g.linear(
                LayerRole.ENCODER,
                prefix + ".mlp.fc1",
                norm(prefix + ".layer_norm2", hidden),
                width,
                config.innerWidth()));
    return g.add(
        hidden,
        sequence(
            g.linear(LayerRole.ENCODER, prefix + ".mlp.fc2", inner, config.innerWidth(), width)));
  }

  private String activation(String x) {
    return config.activation().equals("quick_gelu")
        ? g.microsoftNode("QuickGelu", List.of(x), attribute("alpha", 1.702f))
        : g.node("Gelu", List.of(x));
  }

  private String project(String prefix, String x) {
    return sequence(g.linear(LayerRole.ENCODER, prefix, x, width, width));
  }

  private String sequence(String x) {
    return g.reshape(x, g.longs(-1, config.positions(), width));
  }

  private String norm(String prefix, String x) {
    return g.layerNorm(
        x,
        g.weight(prefix + ".weight", width),
        g.weight(prefix + ".bias", width),
        config.epsilon());
  }

  /** First position of the highest id, or of the end token: [B, 1]. */
  private String poolingPosition(String ids) {
    String score = ids;
    if (config.endToken() != ClipTextConfig.LEGACY_END_TOKEN) {
      score = g.node("Equal", List.of(ids, g.longs(config.endToken())));
    }
    // In float32, which every provider can compare; ids are far below 2^24.
    String comparable =
        g.node("Cast", List.of(score), attribute("to", OnnxMessages.code(ElementType.F32)));
    return g.node("ArgMax", List.of(comparable), attribute("axis", 1), attribute("keepdims", 1));
  }
}
