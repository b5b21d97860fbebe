package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.UraeException;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Small files in the forms that people hold, shaped after public reports, and what each ends as:
 * merged to what this test computes by itself, with or without a notice, or refused by its name.
 */
class PublicAdapterTest {

  private static final double TOLERANCE = 1e-5;
  private static final String Q = "transformer_blocks.0.attn.to_q";
  private static final String OUT = "transformer_blocks.0.attn.to_out.0";
  private static final String KOHYA_OUT = "lora_unet_double_blocks_0_img_attn_proj";

  @TempDir Path folder;

  /** Rows of a file's module, which begin a weight. */
  private record Low(
      Component network, String weight, String down, String up, double scale, int row) {}

  /**
   * What a file does.
   *
   * @param changes all that it changes
   * @param left how many keys are left out with a notice
   */
  private record Merge(String file, List<Low> changes, int left) {

    @Override
    public String toString() {
      return file;
    }
  }

  private static Low low(String weight, String down, String up, double scale) {
    return low(weight, down, up, scale, 0);
  }

  private static Low low(String weight, String down, String up, double scale, int row) {
    return new Low(Component.TRANSFORMER, weight + ".weight", down, up, scale, row);
  }

  private static Low peft(String module, String weight, double scale) {
    return low(weight, module + ".lora_A.weight", module + ".lora_B.weight", scale);
  }

  private static Low kohya(String module, String weight, double scale, int row) {
    return low(weight, module + ".lora_down.weight", module + ".lora_up.weight", scale, row);
  }

  private static List<Low> kohyaAttention(double scale) {
    String module = "lora_unet_double_blocks_0_img_attn_qkv";
    return List.of(
        kohya(module, Q, scale, 0),
        kohya(module, Q.replace("to_q", "to_k"), scale, 128),
        kohya(module, Q.replace("to_q", "to_v"), scale, 256));
  }

  private static Low clip(String down, String up, double scale) {
    return new Low(
        Component.TEXT_ENCODER,
        "text_model.encoder.layers.0.self_attn.q_proj.weight",
        down,
        up,
        scale,
        0);
  }

  static Stream<Merge> merges() throws IOException {
    Low q = peft("transformer." + Q, Q, 1);
    String clip = "lora_te_text_model_encoder_layers_0_self_attn_q_proj";
    String old = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer";
    double alpha = number("conv_shaped_1x1", KOHYA_OUT + ".alpha") / 4;
    double qkvAlpha =
        number("kohya_lora_te_clip", "lora_unet_double_blocks_0_img_attn_qkv.alpha") / 4;
    return Stream.of(
        new Merge(
            "alpha_zero_one_block.safetensors",
            List.of(
                kohya(KOHYA_OUT, OUT, number("alpha_zero_one_block", KOHYA_OUT + ".alpha") / 4, 0),
                kohya(
                    KOHYA_OUT.replace("_0_", "_1_"),
                    OUT.replace(".0.attn", ".1.attn"),
                    number("alpha_zero_one_block", KOHYA_OUT.replace("_0_", "_1_") + ".alpha") / 4,
                    0)),
            0),
        new Merge(
            "both_peft_and_kohya_keys.safetensors",
            List.of(
                low(
                    Q,
                    "transformer." + Q + ".lora_down.weight",
                    "transformer." + Q + ".lora_up.weight",
                    1)),
            2),
        new Merge("conv_shaped_1x1.safetensors", List.of(kohya(KOHYA_OUT, OUT, alpha, 0)), 0),
        new Merge(
            "scale_tensor.safetensors",
            List.of(kohya(KOHYA_OUT, OUT, number("scale_tensor", KOHYA_OUT + ".scale"), 0)),
            0),
        new Merge(
            "ddp_module_prefix.safetensors", List.of(peft("transformer.module." + Q, Q, 1)), 0),
        new Merge(
            "orig_mod_prefix.safetensors", List.of(peft("transformer._orig_mod." + Q, Q, 1)), 0),
        new Merge("unet_prefix.safetensors", List.of(peft("unet." + Q, Q, 1)), 0),
        new Merge(
            "mochi_style_no_weight.safetensors",
            List.of(low(Q, "transformer." + Q + ".lora_A", "transformer." + Q + ".lora_B", 1)),
            0),
        new Merge(
            "meta_plain_header_lora_alpha.safetensors",
            List.of(peft("transformer." + Q, Q, 16.0 / 4)),
            0),
        new Merge("peft_folder", List.of(peft("base_model.model." + Q, Q, 16.0 / 4)), 0),
        new Merge(
            "peft_folder/adapter_model.safetensors",
            List.of(peft("base_model.model." + Q, Q, 16.0 / 4)),
            0),
        new Merge("metanull.safetensors", List.of(q), 0),
        new Merge(
            "dev_lora_with_guidance.safetensors",
            List.of(
                kohya(
                    "lora_unet_guidance_in_in_layer",
                    "time_text_embed.guidance_embedder.linear_1",
                    number("dev_lora_with_guidance", "lora_unet_guidance_in_in_layer.alpha") / 4,
                    0),
                kohya(
                    KOHYA_OUT, OUT, number("dev_lora_with_guidance", KOHYA_OUT + ".alpha") / 4, 0)),
            0),
        new Merge(
            "kohya_te1_text_projection.safetensors",
            kohyaAttention(
                number("kohya_te1_text_projection", "lora_unet_double_blocks_0_img_attn_qkv.alpha")
                    / 4),
            3),
        new Merge(
            "kohya_lora_te_clip.safetensors",
            Stream.concat(
                    kohyaAttention(qkvAlpha).stream(),
                    Stream.of(
                        clip(
                            clip + ".lora_down.weight",
                            clip + ".lora_up.weight",
                            number("kohya_lora_te_clip", clip + ".alpha") / 4)))
                .toList(),
            0),
        new Merge(
            "old_diffusers_lora_linear_layer.safetensors",
            List.of(clip(old + ".down.weight", old + ".up.weight", 1)),
            0),
        new Merge(
            "onetrainer_bundle_emb.safetensors",
            List.of(kohya("lora_transformer_transformer_blocks_0_attn_to_q", Q, 1, 0)),
            1),
        new Merge("onetrainer_bfl_split_qkv.safetensors", oneTrainer(), 0));
  }

  /** OneTrainer's names of parts, written out. */
  private static List<Low> oneTrainer() throws IOException {
    Map<String, String> modules = new LinkedHashMap<>();
    for (int i = 0; i < 2; i++) {
      String own = "double_blocks." + i + ".";
      String diffusers = "transformer_blocks." + i + ".";
      List<String> image = List.of("to_q", "to_k", "to_v");
      List<String> text = List.of("add_q_proj", "add_k_proj", "add_v_proj");
      for (int part = 0; part < 3; part++) {
        modules.put(own + "img_attn.qkv." + part, diffusers + "attn." + image.get(part));
        modules.put(own + "txt_attn.qkv." + part, diffusers + "attn." + text.get(part));
      }
      modules.put(own + "img_attn.proj", diffusers + "attn.to_out.0");
      modules.put(own + "txt_attn.proj", diffusers + "attn.to_add_out");
      modules.put(own + "img_mlp.0", diffusers + "ff.net.0.proj");
      modules.put(own + "img_mlp.2", diffusers + "ff.net.2");
      modules.put(own + "txt_mlp.0", diffusers + "ff_context.net.0.proj");
      modules.put(own + "txt_mlp.2", diffusers + "ff_context.net.2");
    }
    for (int i = 0; i < 4; i++) {
      String own = "single_blocks." + i + ".";
      String diffusers = "single_transformer_blocks." + i + ".";
      List<String> parts = List.of("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp");
      for (int part = 0; part < 4; part++) {
        modules.put(own + "linear1." + part, diffusers + parts.get(part));
      }
      modules.put(own + "linear2", diffusers + "proj_out");
    }
    String file = "onetrainer_bfl_split_qkv";
    List<Low> changes = new ArrayList<>();
    for (Map.Entry<String, String> module : modules.entrySet()) {
      String name = "transformer." + module.getKey();
      if (has(file, name + ".alpha")) {
        double rank = shape(file, name + ".lora_down.weight")[0];
        changes.add(kohya(name, module.getValue(), number(file, name + ".alpha") / rank, 0));
      }
    }
    return changes;
  }

  private static Path path(String name) {
    return TestData.path("public-cases/" + name);
  }

  private static double number(String file, String key) throws IOException {
    try (SafetensorsFile open = SafetensorsFile.open(path(file + ".safetensors"))) {
      return open.tensor(key).toFloats()[0];
    }
  }

  private static boolean has(String file, String key) throws IOException {
    try (SafetensorsFile open = SafetensorsFile.open(path(file + ".safetensors"))) {
      return open.tensors().containsKey(key);
    }
  }

  private static long[] shape(String file, String key) throws IOException {
    try (SafetensorsFile open = SafetensorsFile.open(path(file + ".safetensors"))) {
      return open.tensors().get(key).shape().toArray();
    }
  }

  @ParameterizedTest
  @MethodSource("merges")
  void mergesAsComputedHere(Merge merge) throws IOException {
    try (TinyFlux model = new TinyFlux();
        AdapterChain chain = model.chain(new AdapterSpec(path(merge.file()), 1));
        SafetensorsFile file = SafetensorsFile.open(chain.adapters().get(0).path())) {
      Map<Component, Map<String, double[]>> expected = expected(merge, model.weights, file);
      for (Component network : Component.adaptable()) {
        Map<String, double[]> weights = expected.getOrDefault(network, Map.of());
        assertThat(new TreeSet<>(chain.changedWeights(network))).isEqualTo(weights.keySet());
        WeightMerger merger = model.merger(chain, network);
        weights.forEach((weight, values) -> assertClose(weight, values, merger));
      }
      assertThat(chain.unmatched()).hasSize(merge.left());
    }
  }

  private static void assertClose(String weight, double[] expected, WeightMerger merger) {
    try {
      float[] merged = merger.mergeToFloats(weight);
      double largest = 0;
      double difference = 0;
      for (int i = 0; i < merged.length; i++) {
        largest = Math.max(largest, Math.abs(expected[i]));
        difference = Math.max(difference, Math.abs(expected[i] - merged[i]));
      }
      assertThat(merged).hasSameSizeAs(expected);
      assertThat(difference / largest).as(weight).isLessThan(TOLERANCE);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** W + scale B A, in double precision. */
  private static Map<Component, Map<String, double[]>> expected(
      Merge merge, Map<Component, TensorSource> model, SafetensorsFile file) throws IOException {
    Map<Component, Map<String, double[]>> all = new EnumMap<>(Component.class);
    for (Low low : merge.changes()) {
      Tensor base = model.get(low.network()).tensor(low.weight());
      float[] values = base.toFloats();
      double[] sum = new double[values.length];
      float[] down = file.tensor(low.down()).toFloats();
      float[] up = file.tensor(low.up()).toFloats();
      int rank = (int) file.tensors().get(low.down()).shape().dimension(0);
      int inputs = down.length / rank;
      for (int i = 0; i < values.length; i++) {
        double product = 0;
        for (int k = 0; k < rank; k++) {
          product +=
              (double) up[(low.row() + i / inputs) * rank + k] * down[k * inputs + i % inputs];
        }
        sum[i] = values[i] + low.scale() * product;
      }
      all.computeIfAbsent(low.network(), n -> new TreeMap<>()).put(low.weight(), sum);
    }
    return all;
  }

  /** Kinds of updates whose values other tests compare: all of their keys are used. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "lokr_aitoolkit_bfl",
        "loha_lycoris_kohya",
        "dora_onetrainer_dora_scale",
        "dora_aitoolkit_magnitude",
        "comfy_extract_nonzero_diff_b",
        "full_diff_only",
        "peft_lora_bias"
      })
  void otherKindsOfUpdatesAreUsedWhole(String name) throws IOException {
    try (TinyFlux model = new TinyFlux();
        AdapterChain chain = model.chain(new AdapterSpec(path(name + ".safetensors"), 1))) {
      assertThat(chain.changedWeights(Component.TRANSFORMER)).isNotEmpty();
      assertThat(chain.unmatched()).isEmpty();
    }
  }

  @Test
  void theGuidanceEmbeddingIsLeftOutOfSchnell() throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      Map<String, Tensor> kept = new LinkedHashMap<>();
      for (TensorInfo info : model.transformer().tensors().values()) {
        if (!info.name().contains("guidance_embedder")) {
          kept.put(info.name(), model.transformer().tensor(info.name()));
        }
      }
      Path file = folder.resolve("schnell.safetensors");
      SafetensorsWriter.write(file, Map.of(), kept);
      try (SafetensorsFile schnell = SafetensorsFile.open(file)) {
        Map<Component, TensorSource> weights = new EnumMap<>(model.weights);
        weights.put(Component.TRANSFORMER, schnell);
        AdapterSpec spec = new AdapterSpec(path("dev_lora_with_guidance.safetensors"), 1);
        try (AdapterChain chain =
            AdapterChain.open(List.of(spec), Flux1.FAMILY, weights, AdapterOptions.STRICT)) {
          assertThat(chain.changedWeights(Component.TRANSFORMER)).containsExactly(OUT + ".weight");
          assertThat(chain.unmatched())
              .hasSize(3)
              .allSatisfy(left -> assertThat(left.reason()).contains("schnell"));
        }
      }
    }
  }

  // Refusals

  private static void assertRefused(String name, String... parts) throws IOException {
    for (AdapterOptions options : List.of(AdapterOptions.STRICT, new AdapterOptions(true, true))) {
      try (TinyFlux model = new TinyFlux()) {
        assertThatThrownBy(() -> model.chain(options, new AdapterSpec(path(name), 1)))
            .isInstanceOf(UraeException.class)
            .hasMessageContaining(path(name).toString())
            .hasMessageContainingAll(parts);
      }
    }
  }

  @Test
  void whatCannotBeUsedIsRefusedByItsName() throws IOException {
    assertRefused("glora.safetensors", "a GLoRA adapter", "look for a LoRA");
    assertRefused("chroma_lora.safetensors", "Chroma", "choose one that was trained on FLUX.1");
    assertRefused("bfl_control_lora.safetensors", "a control LoRA", "structure picture");
    assertRefused(
        "empty_pair_rank0.safetensors", "to_k.lora_A", "rank 0", "save the adapter again");
    assertRefused("html_instead.safetensors", "an HTML page", "download the file again");
    assertRefused("lfs_pointer.safetensors", "Git LFS", "git lfs pull");
    assertRefused("lora.gguf", "GGUF", ".safetensors");
    assertRefused("pytorch_lora_weights.bin", "pickle", "save_file");
  }

  @Test
  @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void whatIsMeantToHangEndsAtOnce() throws IOException {
    assertRefused("redos3.safetensors", "alpha_pattern", "no pattern that RE2 knows");
    assertRefused("regexdeep.safetensors", "alpha_pattern", "longer than 1000 characters");
    assertRefused("metaarray.safetensors", "alpha_pattern", "expected an object", "[1,2]");
    assertRefused("longkey.safetensors", "the other half of the pair is missing", "characters)");
    try (TinyFlux model = new TinyFlux();
        AdapterChain chain = model.chain(new AdapterSpec(path("redos4.safetensors"), 1))) {
      assertThat(chain.changedWeights(Component.TRANSFORMER)).containsExactly(Q + ".weight");
    }
  }

  /** Every file of the folder is one of these. */
  @Test
  void noFileIsForgotten() throws IOException {
    TreeSet<String> tested = new TreeSet<>();
    merges().forEach(merge -> tested.add(merge.file().replaceFirst("/.*", "")));
    String source =
        Files.readString(
            Path.of("src/test/java/io/github/urae/adapter", getClass().getSimpleName() + ".java"));
    try (Stream<Path> files = Files.list(path("glora.safetensors").getParent())) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .allSatisfy(
              name ->
                  assertThat(
                          tested.contains(name)
                              || source.contains('"' + name.replace(".safetensors", "") + '"')
                              || source.contains('"' + name + '"'))
                      .as(name)
                      .isTrue());
    }
  }
}
