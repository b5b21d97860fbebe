package io.github.urae.fuzz;

import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Adapters of {@link TinyCheckpoint} under the names that trainers write. */
final class TinyAdapters {

  /** Parts of the names of adapters of all trainers, and keys of their metadata. */
  static final List<String> WORDS =
      List.of(
          "transformer.",
          "diffusion_model.",
          "base_model.model.",
          "model.",
          "module.",
          "unet.",
          "lora_unet_",
          "lora_te_",
          "lora_te1_",
          "lora_transformer_",
          "lycoris_",
          "_orig_mod.",
          "text_model.",
          "transformer_blocks.",
          "single_transformer_blocks.",
          "double_blocks.",
          "single_blocks.",
          "attn.",
          "to_q.",
          "to_k.",
          "to_out.0.",
          "add_q_proj.",
          "img_attn_qkv.",
          "proj_mlp.",
          "linear1.",
          "0.",
          "1.",
          "99999999999999999999.",
          "lora_A.",
          "lora_B.",
          "lora_A.default.",
          "lora_down.",
          "lora_up.",
          "lora.down.",
          "weight",
          "bias",
          "alpha",
          "dora_scale",
          "lora_magnitude_vector",
          "hada_w1_a",
          "hada_w1_b",
          "hada_w2_a",
          "hada_w2_b",
          "hada_t1",
          "lokr_w1",
          "lokr_w1_a",
          "lokr_w1_b",
          "lokr_w2",
          "lokr_w2_a",
          "lokr_w2_b",
          "lokr_t2",
          "diff",
          "diff_b",
          "set_weight",
          "w_norm",
          "processor.qkv_lora1.",
          "lora_adapter_metadata",
          "lora_alpha",
          "r",
          "rank_pattern",
          "alpha_pattern",
          "use_dora",
          "use_rslora",
          "target_modules",
          "ss_network_alpha",
          "ss_network_dim",
          "modelspec.architecture",
          "^",
          "(a+)+$",
          ".*.*.*.*x");

  private static final String PEFT = "transformer.transformer_blocks.0.attn.to_q.";
  private static final String KOHYA = "lora_unet_single_blocks_0_linear2";
  private static final String LYCORIS = "lycoris_transformer_blocks_0_ff_net_2";
  private static final String BFL = "diffusion_model.double_blocks.0.img_attn.qkv.";

  private TinyAdapters() {}

  /** Returns one file of each kind. */
  static List<byte[]> files(Path folder) throws IOException {
    List<byte[]> files = new ArrayList<>();
    Map<String, String> peft =
        Map.of(
            "lora_adapter_metadata",
            """
            {"transformer.r": 2, "transformer.lora_alpha": 4,
             "transformer.alpha_pattern": {"^to_q$": 1}, "transformer.rank_pattern": {}}""");
    files.add(file(folder, peft, PEFT + "lora_A.weight", 2, 16, PEFT + "lora_B.weight", 16, 2));
    files.add(
        file(
            folder,
            Map.of("ss_network_alpha", "1.0"),
            KOHYA + ".lora_down.weight",
            2,
            80,
            KOHYA + ".lora_up.weight",
            16,
            2,
            KOHYA + ".alpha",
            1,
            1));
    files.add(
        file(
            folder,
            Map.of(),
            PEFT + "lora_A.weight",
            2,
            16,
            PEFT + "lora_B.weight",
            16,
            2,
            PEFT + "lora_magnitude_vector",
            16,
            1));
    files.add(
        file(
            folder,
            Map.of(),
            BFL + "hada_w1_a",
            48,
            2,
            BFL + "hada_w1_b",
            2,
            16,
            BFL + "hada_w2_a",
            48,
            2,
            BFL + "hada_w2_b",
            2,
            16,
            BFL + "alpha",
            1,
            1));
    files.add(
        file(
            folder,
            Map.of(),
            LYCORIS + ".lokr_w1",
            4,
            4,
            LYCORIS + ".lokr_w2_a",
            4,
            2,
            LYCORIS + ".lokr_w2_b",
            2,
            16,
            LYCORIS + ".alpha",
            1,
            1));
    files.add(file(folder, Map.of(), BFL + "diff", 48, 16, BFL + "diff_b", 48, 1));
    String clip = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj";
    files.add(
        file(folder, Map.of(), clip + ".lora_down.weight", 2, 16, clip + ".lora_up.weight", 16, 2));
    return files;
  }

  /** Writes tensors given as name, rows, columns. */
  private static byte[] file(Path folder, Map<String, String> metadata, Object... tensors)
      throws IOException {
    Random random = new Random(tensors.length);
    Map<String, Tensor> written = new LinkedHashMap<>();
    for (int i = 0; i < tensors.length; i += 3) {
      int rows = (int) tensors[i + 1];
      int columns = (int) tensors[i + 2];
      float[] values = new float[rows * columns];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      written.put((String) tensors[i], Tensor.ofFloats(values, rows, columns));
    }
    Path file = folder.resolve("example.safetensors");
    SafetensorsWriter.write(file, metadata, written);
    return Files.readAllBytes(file);
  }
}
