package io.github.urae.fuzz;

import io.github.urae.flux.model.internal.ClipTextConfig;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.T5Config;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.JsonConfig;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A checkpoint of one block of each kind, as small as they go: merging takes milliseconds. */
final class TinyCheckpoint {

  private static final Map<String, String> CONFIGURATIONS =
      Map.of(
          "model_index.json",
          """
          {"_class_name": "FluxPipeline"}""",
          "scheduler/scheduler_config.json",
          """
          {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0,
           "use_dynamic_shifting": true, "base_shift": 0.5, "max_shift": 1.15,
           "base_image_seq_len": 256, "max_image_seq_len": 4096, "num_train_timesteps": 1000}""",
          "transformer/config.json",
          """
          {"_class_name": "FluxTransformer2DModel", "attention_head_dim": 8,
           "axes_dims_rope": [2, 2, 4], "guidance_embeds": true, "in_channels": 64,
           "joint_attention_dim": 16, "num_attention_heads": 2, "num_layers": 1,
           "num_single_layers": 1, "patch_size": 1, "pooled_projection_dim": 16}""",
          "text_encoder/config.json",
          """
          {"model_type": "clip_text_model", "hidden_act": "quick_gelu", "hidden_size": 16,
           "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1,
           "max_position_embeddings": 77, "vocab_size": 32, "eos_token_id": 2}""",
          "text_encoder_2/config.json",
          """
          {"model_type": "t5", "feed_forward_proj": "gated-gelu", "d_ff": 32, "d_kv": 8,
           "d_model": 16, "num_heads": 2, "num_layers": 1, "vocab_size": 32}""",
          "vae/config.json",
          """
          {"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [8, 8, 8, 8],
           "latent_channels": 16, "layers_per_block": 1, "norm_num_groups": 4,
           "use_quant_conv": false, "use_post_quant_conv": false, "scaling_factor": 0.36,
           "shift_factor": 0.11}""");

  private TinyCheckpoint() {}

  /** Writes it. */
  static Path writeInto(Path folder) throws IOException {
    for (Map.Entry<String, String> entry : CONFIGURATIONS.entrySet()) {
      Path file = folder.resolve(entry.getKey());
      Files.createDirectories(file.getParent());
      Files.writeString(file, entry.getValue());
    }
    write(
        folder.resolve("transformer"),
        TransformerGraph.build(
            TransformerConfig.from(config(folder, "transformer"), Flux1.FAMILY), ElementType.F32));
    write(
        folder.resolve("text_encoder"),
        ClipTextGraph.build(ClipTextConfig.from(config(folder, "text_encoder")), ElementType.F32));
    write(
        folder.resolve("text_encoder_2"),
        T5EncoderGraph.build(T5Config.from(config(folder, "text_encoder_2")), ElementType.F32));
    return folder;
  }

  private static JsonConfig config(Path folder, String network) throws IOException {
    return JsonConfig.read(folder.resolve(network).resolve("config.json"));
  }

  private static void write(Path folder, NetworkGraph graph) throws IOException {
    Random random = new Random(1);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    graph.parameters().forEach((name, shape) -> tensors.put(name, random(shape, random)));
    SafetensorsWriter.write(folder.resolve("model.safetensors"), Map.of(), tensors);
  }

  private static Tensor random(Shape shape, Random random) {
    float[] values = new float[Math.toIntExact(shape.elementCount())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.ofFloats(values, shape.toArray());
  }
}
