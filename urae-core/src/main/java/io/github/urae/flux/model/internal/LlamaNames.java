package io.github.urae.flux.model.internal;

import io.github.urae.weights.TensorInfo;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names that llama.cpp gives to T5's parameters, and with it most GGUF files of text encoders.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/tensor_mapping.py">
 *     llama.cpp: {@code tensor_mapping.py}</a>
 */
final class LlamaNames {

  /** A name by which an encoder is known. */
  static final String MARK = "enc.blk.0.attn_q.weight";

  private static final Map<String, String> WHOLE =
      Map.of(
          "token_embd.weight", "shared.weight",
          "enc.output_norm.weight", "encoder.final_layer_norm.weight");

  private static final Pattern BLOCK = Pattern.compile("enc\\.blk\\.(\\d+)\\.(.+)\\.weight");

  private static final Map<String, String> OF_BLOCKS =
      Map.ofEntries(
          Map.entry("attn_q", "layer.0.SelfAttention.q"),
          Map.entry("attn_k", "layer.0.SelfAttention.k"),
          Map.entry("attn_v", "layer.0.SelfAttention.v"),
          Map.entry("attn_o", "layer.0.SelfAttention.o"),
          Map.entry("attn_rel_b", "layer.0.SelfAttention.relative_attention_bias"),
          Map.entry("attn_norm", "layer.0.layer_norm"),
          Map.entry("ffn_gate", "layer.1.DenseReluDense.wi_0"),
          Map.entry("ffn_up", "layer.1.DenseReluDense.wi_1"),
          Map.entry("ffn_down", "layer.1.DenseReluDense.wo"),
          Map.entry("ffn_norm", "layer.1.layer_norm"));

  private LlamaNames() {}

  /**
   * Returns an encoder's tensors by transformers' names.
   *
   * @param tensors by llama.cpp's names
   * @return those of the encoder; others, such as the decoder's, are left out
   */
  static Map<String, TensorInfo> of(Map<String, TensorInfo> tensors) {
    Map<String, TensorInfo> encoder = new LinkedHashMap<>();
    tensors.forEach(
        (name, info) ->
            transformers(name).ifPresent(own -> encoder.put(own, StoredNames.named(info, own))));
    return encoder;
  }

  private static Optional<String> transformers(String name) {
    Matcher block = BLOCK.matcher(name);
    if (!block.matches()) {
      return Optional.ofNullable(WHOLE.get(name));
    }
    return Optional.ofNullable(OF_BLOCKS.get(block.group(2)))
        .map(module -> "encoder.block." + block.group(1) + "." + module + ".weight");
  }
}
