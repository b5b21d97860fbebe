package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.internal.JsonConfig;

/**
 * What a checkpoint's {@code text_encoder/config.json} says.
 *
 * @param layers number of layers; 12 for FLUX.1
 * @param heads attention heads; 12
 * @param width hidden size; 768
 * @param innerWidth width of the feed-forward networks; 3072
 * @param vocabulary number of tokens; 49408
 * @param positions number of positions, and of ids; 77
 * @param epsilon of layer normalisation; 1e-5
 * @param activation {@code quick_gelu} or {@code gelu}
 * @param endToken id whose first position is pooled; 2 stands for the older rule, the position of
 *     the highest id
 */
public record ClipTextConfig(
    int layers,
    int heads,
    int width,
    int innerWidth,
    int vocabulary,
    int positions,
    double epsilon,
    String activation,
    long endToken) {

  /** Value of {@code eos_token_id} that selects the older pooling rule. */
  public static final long LEGACY_END_TOKEN = 2;

  /**
   * Reads the configuration.
   *
   * @param config the content of {@code config.json}
   * @return its values
   * @throws ModelException if it describes another network
   */
  public static ClipTextConfig from(JsonConfig config) {
    String kind = config.oneOf("model_type", "clip_text_model", "clip_text_model", "clip");
    if (kind.equals("clip") && config.has("text_config")) {
      // Of the whole of CLIP; the text encoder's part stands in it.
      return from(config.object("text_config").without("model_type"));
    }
    ClipTextConfig result =
        new ClipTextConfig(
            config.positiveInt("num_hidden_layers", 12),
            config.positiveInt("num_attention_heads", 8),
            config.positiveInt("hidden_size", 512),
            config.positiveInt("intermediate_size", 2048),
            config.positiveInt("vocab_size", 49408),
            config.positiveInt("max_position_embeddings", 77),
            config.number("layer_norm_eps", 1e-5),
            config.oneOf("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
            config.integer("eos_token_id").orElse(49407));
    if (result.width % result.heads != 0) {
      throw config.unsupported("num_attention_heads", "a divisor of hidden_size " + result.width);
    }
    return result;
  }
}
