package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.internal.JsonConfig;

/**
 * What a checkpoint's {@code text_encoder_2/config.json} says.
 *
 * @param layers number of layers; 24 for T5 1.1 XXL
 * @param heads attention heads; 64
 * @param headDim channels of a head; 64
 * @param width hidden size; 4096
 * @param innerWidth width of the feed-forward networks; 10240
 * @param vocabulary number of tokens; 32128
 * @param epsilon of root-mean-square normalisation; 1e-6
 * @param buckets buckets of relative positions; 32
 * @param maxDistance distance from which on all positions share the last bucket; 128
 * @param endToken id of the end token; 1
 * @param padToken id of the padding token; 0
 */
public record T5Config(
    int layers,
    int heads,
    int headDim,
    int width,
    int innerWidth,
    int vocabulary,
    double epsilon,
    int buckets,
    int maxDistance,
    long endToken,
    long padToken) {

  /** A bound beyond sense, below which no product of sizes leaves its type. */
  private static final int MOST_CHANNELS = 1 << 28;

  /**
   * Reads the configuration. Where a key is missing, it means what it does in transformers.
   *
   * @param config the content of {@code config.json}
   * @return its values
   * @throws ModelException if it describes another network
   */
  public static T5Config from(JsonConfig config) {
    config.oneOf("model_type", "t5", "t5");
    config.oneOf("feed_forward_proj", "relu", "gated-gelu");
    T5Config result =
        new T5Config(
            config.positiveInt("num_layers", 6),
            config.positiveInt("num_heads", 8),
            config.positiveInt("d_kv", 64),
            config.positiveInt("d_model", 512),
            config.positiveInt("d_ff", 2048),
            config.positiveInt("vocab_size", 32128),
            config.number("layer_norm_epsilon", 1e-6),
            config.positiveInt("relative_attention_num_buckets", 32),
            config.positiveInt("relative_attention_max_distance", 128),
            config.integer("eos_token_id").orElse(1),
            config.integer("pad_token_id").orElse(0));
    if (result.buckets % 4 != 0 || result.maxDistance <= result.buckets / 4) {
      throw config.unsupported(
          "relative_attention_num_buckets",
          "a multiple of 4, below four times relative_attention_max_distance");
    }
    if ((long) result.heads * result.headDim > MOST_CHANNELS) {
      throw config.unsupported(
          "num_heads", "at most " + MOST_CHANNELS + " channels of 'd_kv' in all together");
    }
    return result;
  }

  /**
   * Computes the bucket of every pair of positions: half of the buckets for keys after the query;
   * of each half, one for every small distance and the rest in logarithmic steps.
   *
   * @param length number of tokens, T
   * @return [T, T], row-major, the query's position first
   */
  public long[] relativePositionBuckets(int length) {
    int half = buckets / 2;
    int exact = half / 2;
    long[] result = new long[Math.multiplyExact(length, length)];
    for (int query = 0; query < length; query++) {
      for (int key = 0; key < length; key++) {
        int distance = Math.abs(key - query);
        long bucket = distance;
        if (distance >= exact) {
          // In float32, as the reference: it decides on which side of a step a distance falls.
          float steps =
              (float) Math.log((float) distance / exact)
                  / (float) Math.log((double) maxDistance / exact)
                  * (half - exact);
          bucket = Math.min(exact + (long) steps, half - 1);
        }
        result[query * length + key] = bucket + (key > query ? half : 0);
      }
    }
    return result;
  }
}
