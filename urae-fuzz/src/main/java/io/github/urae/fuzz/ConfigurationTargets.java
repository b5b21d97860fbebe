package io.github.urae.fuzz;

import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.onnx.internal.graph.ClipTextGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.graph.TransformerGraph;
import io.github.urae.onnx.internal.graph.VaeDecoderGraph;
import io.github.urae.onnx.internal.graph.VaeEncoderGraph;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Configurations of a checkpoint, up to the graphs that are made from them. */
final class ConfigurationTargets {

  private static final List<String> WORDS =
      List.of(
          "_class_name",
          "FluxPipeline",
          "FluxTransformer2DModel",
          "AutoencoderKL",
          "FlowMatchEulerDiscreteScheduler",
          "FlowMatchHeunDiscreteScheduler",
          "clip_text_model",
          "clip",
          "t5",
          "num_layers",
          "num_single_layers",
          "num_attention_heads",
          "attention_head_dim",
          "axes_dims_rope",
          "in_channels",
          "layers_per_block",
          "block_out_channels",
          "norm_num_groups",
          "eos_token_id",
          "pad_token_id",
          "text_config",
          "hidden_act",
          "gelu",
          "use_karras_sigmas",
          "use_beta_sigmas",
          "use_exponential_sigmas",
          "time_shift_type",
          "linear",
          "shift_terminal",
          "invert_sigmas",
          "stochastic_sampling",
          "use_dynamic_shifting",
          "shift",
          "max_image_seq_len",
          "base_image_seq_len",
          "factors",
          "bias");

  private ConfigurationTargets() {}

  static FuzzTarget modelIndex(Path folder) throws IOException {
    return target(folder, "model_index.json", checkpoint -> {});
  }

  static FuzzTarget scheduler(Path folder) throws IOException {
    return target(
        folder,
        "scheduler/scheduler_config.json",
        checkpoint -> {
          for (int tokens : new int[] {1, 4096, 65_536}) {
            Schedule.of(4, checkpoint.scheduler().ownShift(), tokens);
          }
        });
  }

  static FuzzTarget transformer(Path folder) throws IOException {
    return target(
        folder,
        "transformer/config.json",
        checkpoint -> TransformerGraph.build(checkpoint.transformer(), ElementType.BF16));
  }

  static FuzzTarget clip(Path folder) throws IOException {
    return target(
        folder,
        "text_encoder/config.json",
        checkpoint -> ClipTextGraph.build(checkpoint.clip(), ElementType.F32));
  }

  static FuzzTarget t5(Path folder) throws IOException {
    return target(
        folder,
        "text_encoder_2/config.json",
        checkpoint -> {
          T5EncoderGraph.build(checkpoint.t5(), ElementType.F32);
          checkpoint.t5().relativePositionBuckets(512);
        });
  }

  static FuzzTarget vae(Path folder) throws IOException {
    return target(
        folder,
        "vae/config.json",
        checkpoint -> {
          VaeDecoderGraph.build(checkpoint.vae());
          VaeEncoderGraph.build(checkpoint.vae());
        });
  }

  static FuzzTarget previewFactors(Path folder) throws IOException {
    return target(folder, "vae/preview_factors.json", checkpoint -> {});
  }

  /** Uses what a checkpoint's configurations say. */
  private interface Use {
    void use(Checkpoint checkpoint) throws IOException;
  }

  private static FuzzTarget target(Path folder, String name, Use use) throws IOException {
    Path checkpoint = TinyCheckpoint.writeInto(folder.resolve("checkpoint"));
    Path file = checkpoint.resolve(name);
    // Those of networks have widths that fit each other.
    Path example = Files.exists(file) ? file : TestData.checkpoint().resolve(name);
    return new FuzzTarget(
        List.of(Files.readAllBytes(example)),
        new JsonMutation(WORDS),
        bytes -> {
          Files.write(file, bytes);
          use.use(Checkpoint.open(checkpoint));
        });
  }
}
