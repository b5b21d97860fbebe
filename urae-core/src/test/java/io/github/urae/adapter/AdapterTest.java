package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.FileFormatException;
import io.github.urae.adapter.internal.format.Change;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.ScaledName;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is read out of files that people have, and how the others are refused. */
class AdapterTest {

  private static final String TO_Q = "transformer.transformer_blocks.0.attn.to_q";
  private static final String WEIGHT = "transformer_blocks.0.attn.to_q.weight";

  @TempDir Path folder;

  private AdapterSpec write(AdapterFile file) throws IOException {
    return file.write(folder.resolve("adapter.safetensors"));
  }

  private static void assertRefused(AdapterSpec spec, String... parts) throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      assertThatThrownBy(() -> model.chain(spec))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining(spec.path().toString())
          .hasMessageContainingAll(parts);
    }
  }

  // Names

  @ParameterizedTest
  @CsvSource({
    "transformer.transformer_blocks.0.attn.to_q.lora_A.weight, PEFT",
    "transformer_blocks.0.attn.to_q.lora_A.weight, PEFT",
    "base_model.model.transformer_blocks.0.attn.to_q.lora_A.default.weight, PEFT",
    "transformer.transformer_blocks.0.attn.to_q.lora.down.weight, PEFT",
    "diffusion_model.transformer_blocks.0.attn.to_q.lora_down.weight, PEFT",
    "lora_transformer_transformer_blocks_0_attn_to_q.lora_down.weight, KOHYA",
    "lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight, KOHYA"
  })
  void oneModuleUnderManyNames(String down, AdapterFormat format) throws IOException {
    String up =
        down.replace("lora_A", "lora_B").replace("lora_down", "lora_up").replace(".down.", ".up.");
    AdapterSpec spec = write(new AdapterFile().noise(down, 4, 128).noise(up, 128, 4));
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain = model.chain(spec);
      assertThat(chain.adapters().get(0).format()).isEqualTo(format);
      assertThat(chain.changedWeights(Component.TRANSFORMER)).containsExactly(WEIGHT);
      assertThat(chain.changedNetworks()).containsExactly(Component.TRANSFORMER);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "double_blocks.0.img_attn.qkv, 384, BFL",
    "diffusion_model.double_blocks.0.img_attn.qkv, 384, BFL",
    "lora_unet_double_blocks_0_img_attn_qkv, 384, KOHYA"
  })
  void fusedProjections(String module, long outputs, AdapterFormat format) throws IOException {
    AdapterSpec spec = write(new AdapterFile().pair(module, 4, 128, outputs));
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain = model.chain(spec);
      assertThat(chain.adapters().get(0).format()).isEqualTo(format);
      assertThat(chain.changedWeights(Component.TRANSFORMER))
          .containsExactlyInAnyOrder(
              "transformer_blocks.0.attn.to_q.weight",
              "transformer_blocks.0.attn.to_k.weight",
              "transformer_blocks.0.attn.to_v.weight");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "lora_te1_text_model_encoder_layers_1_mlp_fc1, 64, 256, TEXT_ENCODER,"
        + " text_model.encoder.layers.1.mlp.fc1.weight",
    "text_encoder.text_model.encoder.layers.1.mlp.fc1, 64, 256, TEXT_ENCODER,"
        + " text_model.encoder.layers.1.mlp.fc1.weight",
    "text_encoders.clip_l.transformer.text_model.encoder.layers.1.mlp.fc1, 64, 256, TEXT_ENCODER,"
        + " text_model.encoder.layers.1.mlp.fc1.weight",
    "lora_te3_encoder_block_0_layer_0_SelfAttention_q, 96, 96, TEXT_ENCODER_2,"
        + " encoder.block.0.layer.0.SelfAttention.q.weight",
    "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q, 96, 96, TEXT_ENCODER_2,"
        + " encoder.block.0.layer.0.SelfAttention.q.weight"
  })
  void textEncoders(String module, long inputs, long outputs, Component network, String weight)
      throws IOException {
    try (TinyFlux model = new TinyFlux()) {
      long[] shape = model.weights.get(network).tensors().get(weight).shape().toArray();
      assertThat(shape[1]).isEqualTo(inputs);
      AdapterSpec spec = write(new AdapterFile().pair(module, 4, inputs, shape[0]));
      AdapterChain chain = model.chain(spec);
      assertThat(chain.changedNetworks()).containsExactly(network);
      assertThat(chain.changedWeights(network)).containsExactly(weight);
      assertThat(chain.changedWeights(Component.TRANSFORMER)).isEmpty();
    }
  }

  /** The original code's modulation of the last layer is shift, scale; diffusers' scale, shift. */
  @Test
  void lastModulationIsSwapped() throws IOException {
    AdapterFile file = new AdapterFile().pair("final_layer.adaLN_modulation.1", 3, 128, 256);
    AdapterSpec original = write(file);
    try (TinyFlux model = new TinyFlux();
        ParsedAdapter adapter = ParsedAdapter.open(original.path())) {
      Change.LowRank pair = (Change.LowRank) adapter.modules().get(0).change();
      float[] b = pair.up().toFloats();
      float[] swapped = new float[b.length];
      int half = b.length / 2;
      System.arraycopy(b, 0, swapped, half, half);
      System.arraycopy(b, half, swapped, 0, half);
      AdapterSpec diffusers =
          new AdapterFile()
              .values("norm_out.linear.lora_A.weight", pair.down().toFloats(), 3, 128)
              .values("norm_out.linear.lora_B.weight", swapped, 256, 3)
              .write(folder.resolve("diffusers.safetensors"));
      float[] expected =
          model
              .merger(model.chain(diffusers), Component.TRANSFORMER)
              .mergeToFloats("norm_out.linear.weight");
      float[] actual =
          model
              .merger(model.chain(original), Component.TRANSFORMER)
              .mergeToFloats("norm_out.linear.weight");
      assertThat(TestData.largestDifference(expected, actual)).isLessThan(1e-7);
    }
  }

  /** Common among adapters for FLUX.1: the input has 64 channels, the adapters rank 128. */
  @Test
  void theRankMayExceedTheWeightsSize() throws IOException {
    AdapterSpec spec = write(new AdapterFile().pair("x_embedder", 80, 64, 128));
    try (TinyFlux model = new TinyFlux()) {
      assertThat(model.chain(spec).changedWeights(Component.TRANSFORMER))
          .containsExactly("x_embedder.weight");
    }
  }

  // Alpha

  private double scaleOf(AdapterFile file) throws IOException {
    try (Adapter adapter = Adapter.open(write(file).path())) {
      return adapter.modules().get(0).scale();
    }
  }

  private static AdapterFile peft() {
    return new AdapterFile().pair(TO_Q, 4, 128, 128);
  }

  private static AdapterFile configured(String json) {
    return peft().metadata("lora_adapter_metadata", json);
  }

  @Test
  void alphaOverRank() throws IOException {
    assertThat(scaleOf(peft())).isEqualTo(1);
    assertThat(scaleOf(peft().alpha(TO_Q, 2))).isEqualTo(0.5);
    assertThat(scaleOf(configured("{\"transformer.lora_alpha\": 8}"))).isEqualTo(2);
    assertThat(scaleOf(configured("{\"lora_alpha\": 1}"))).isEqualTo(0.25);
    assertThat(scaleOf(configured("{\"transformer.r\": 4}"))).isEqualTo(1);
    // A tensor says more than the configuration.
    assertThat(scaleOf(configured("{\"lora_alpha\": 1}").alpha(TO_Q, 2))).isEqualTo(0.5);
    assertThat(
            scaleOf(
                configured(
                    "{\"transformer.lora_alpha\": 8,"
                        + " \"transformer.alpha_pattern\": {\"attn.to_q\": 12}}")))
        .isEqualTo(3);
    assertThat(
            scaleOf(
                configured("{\"transformer.lora_alpha\": 8, \"transformer.use_rslora\": true}")))
        .isEqualTo(4);
    // The settings of another network do not count.
    assertThat(scaleOf(configured("{\"text_encoder.lora_alpha\": 8}"))).isEqualTo(1);
  }

  @Test
  void alphaThatIsNoFiniteNumber() throws IOException {
    for (float alpha : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      assertRefused(write(peft().alpha(TO_Q, alpha)), TO_Q + ".alpha", "finite alpha", "" + alpha);
    }
    assertRefused(
        write(configured("{\"lora_alpha\": \"much\"}")), "lora_alpha", "a number", "\"much\"");
    assertRefused(write(configured("{")), "lora_adapter_metadata", "no JSON");
    assertRefused(
        write(configured("{\"alpha_pattern\": {\"(\": 1}}")), "alpha_pattern", "'('", "no pattern");
    assertRefused(
        write(peft().values(TO_Q + ".alpha", new float[2], 2)), TO_Q + ".alpha", "one number");
  }

  /** A pattern comes with the file: one that takes for ever, or all memory, must not. */
  @Test
  @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void patternsThatAnAttackerWrites() throws IOException {
    // Java's own expressions would try a hundred thousand million ways to read the name.
    String slow = ".*".repeat(12) + "!";
    assertThat(scaleOf(configured("{\"alpha_pattern\": {\"" + slow + "\": 12}}"))).isEqualTo(1);
    for (String pattern : List.of("((a{100}){100}){100}", "x{5000}", "(?=a)", "a+".repeat(501))) {
      assertRefused(
          write(configured("{\"alpha_pattern\": {\"" + pattern + "\": 12}}")),
          "alpha_pattern",
          "'" + pattern.substring(0, 5));
    }
  }

  // What is refused by name

  @ParameterizedTest
  @CsvSource({"oft_blocks, OFT", "boft_R, BOFT"})
  void otherKinds(String ending, String kind) throws IOException {
    AdapterSpec spec = write(peft().noise(TO_Q + "." + ending, 4, 4));
    assertRefused(spec, "'" + TO_Q + "." + ending + "'", " " + kind + " adapter");
    try (TinyFlux model = new TinyFlux()) {
      AdapterOptions lenient = new AdapterOptions(true, true);
      assertThatThrownBy(() -> model.chain(lenient, spec)).isInstanceOf(AdapterException.class);
    }
  }

  @Test
  void doraInTheConfiguration() throws IOException {
    assertRefused(write(configured("{\"transformer.use_dora\": true}")), "DoRA");
  }

  @ParameterizedTest
  @CsvSource({
    "lora_te2_text_model_encoder_layers_0_mlp_fc1, SDXL",
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q, SDXL",
    "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q, SDXL",
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q, Stable Diffusion 1",
    "lora_unet_joint_blocks_0_x_block_attn_qkv, Stable Diffusion 3",
    "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj, FLUX.2",
    "diffusion_model.double_stream_modulation_img.lin, FLUX.2",
    "transformer.transformer_blocks.0.img_mlp.net.2, Qwen-Image",
    "diffusion_model.blocks.0.self_attn.q, Wan"
  })
  void otherFamilies(String module, String family) throws IOException {
    AdapterSpec spec = write(new AdapterFile().pair(module, 4, 320, 320));
    assertRefused(
        spec, "2 of 2 keys", "another one", module + ".lora_A.weight", "adapters for " + family);
    try (TinyFlux model = new TinyFlux()) {
      AdapterOptions lenient = new AdapterOptions(true, true);
      assertThatThrownBy(() -> model.chain(lenient, spec)).isInstanceOf(AdapterException.class);
    }
  }

  /** FLUX.2 shares names with FLUX.1, but not its width. */
  @Test
  void otherFamilyWithKnownNames() throws IOException {
    assertRefused(
        write(
            new AdapterFile()
                .pair(TO_Q, 4, 6144, 6144)
                .pair("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 4, 64, 64)),
        TO_Q + ".lora_A.weight",
        "FLUX.2");
  }

  // Damage

  @ParameterizedTest
  @CsvSource({"NaN", "Infinity", "-Infinity"})
  void valuesThatAreNotFinite(float value) throws IOException {
    float[] b = new float[512];
    b[511] = value;
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".lora_A.weight", 4, 128)
                .values(TO_Q + ".lora_B.weight", b, 128, 4)),
        "'" + TO_Q + ".lora_B.weight'",
        "not finite",
        "" + value);
  }

  @Test
  void halfOfAPair() throws IOException {
    String other = "transformer.proj_out.lora_";
    assertRefused(
        write(peft().noise(other + "A.weight", 4, 128)), "'" + other + "A.weight'", "missing");
    assertRefused(
        write(peft().noise(other + "B.weight", 64, 4)), "'" + other + "B.weight'", "missing");
  }

  @Test
  void ranksThatDiffer() throws IOException {
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".lora_A.weight", 4, 128)
                .noise(TO_Q + ".lora_B.weight", 128, 8)),
        TO_Q + ".lora_A.weight",
        "[4, 128]",
        TO_Q + ".lora_B.weight",
        "[128, 8]",
        "same rank");
  }

  @Test
  void rankZero() throws IOException {
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".lora_A.weight", 0, 128)
                .noise(TO_Q + ".lora_B.weight", 128, 0)),
        TO_Q + ".lora_A.weight",
        "[0, 128]");
  }

  @Test
  void notAMatrix() throws IOException {
    assertRefused(
        write(
            new AdapterFile()
                .noise(TO_Q + ".lora_A.weight", 4, 128, 3, 3)
                .noise(TO_Q + ".lora_B.weight", 128, 4, 3, 3)),
        TO_Q + ".lora_A.weight",
        "a matrix",
        "[4, 128, 3, 3]");
  }

  @Test
  void shapeThatDoesNotFit() throws IOException {
    assertRefused(
        write(new AdapterFile().pair(TO_Q, 4, 3072, 3072)),
        TO_Q + ".lora_A.weight",
        TO_Q + ".lora_B.weight",
        "expected a product of shape [128, 128] for " + WEIGHT,
        "found [3072, 3072]");
  }

  @Test
  void twoKeysForOneModule() throws IOException {
    assertRefused(
        write(peft().noise(TO_Q + ".lora_down.weight", 4, 128)),
        TO_Q + ".lora_down.weight",
        TO_Q + ".lora_A.weight",
        "same module");
  }

  @Test
  void keysThatChangeNothing() throws IOException {
    String deeper = "transformer.transformer_blocks.2.attn.to_q";
    AdapterSpec spec =
        write(peft().pair(deeper, 4, 128, 128).alpha(deeper, 4).noise("some_other_thing", 1));
    assertRefused(
        spec,
        "4 of 6 keys change nothing in this model",
        "ignoreUnmatched",
        deeper + ".lora_A.weight",
        deeper + ".lora_B.weight",
        deeper + ".alpha",
        "some_other_thing");
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain = model.chain(new AdapterOptions(true, false), spec);
      assertThat(chain.unmatched())
          .extracting(UnmatchedKey::key)
          .containsExactlyInAnyOrder(
              deeper + ".lora_A.weight",
              deeper + ".lora_B.weight",
              deeper + ".alpha",
              "some_other_thing");
      assertThat(chain.changedWeights(Component.TRANSFORMER)).containsExactly(WEIGHT);
    }
  }

  @Test
  void manyKeysAreCountedAndAFewNamed() throws IOException {
    AdapterFile file = new AdapterFile();
    for (int i = 0; i < 400; i++) {
      file.pair("unet.down_blocks.1.attentions." + i + ".proj_in", 1, 1, 1);
    }
    AdapterSpec spec = write(file);
    try (TinyFlux model = new TinyFlux()) {
      assertThatThrownBy(() -> model.chain(spec))
          .isInstanceOf(AdapterException.class)
          .hasMessageStartingWith(
              spec.path()
                  + ": its keys are those of adapters for Stable Diffusion 1 or 2; choose one for"
                  + " this model. 800 of 800 keys change nothing")
          .hasMessageEndingWith(" and 795 more")
          .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(700));
    }
  }

  // What is there twice

  private static final String KOHYA_QKV = "lora_unet_double_blocks_0_img_attn_qkv";

  @Test
  void theSameUnderTwoNamesIsAppliedOnce() throws IOException {
    float[] down = AdapterFile.noise(4 * 128, 1);
    float[] up = AdapterFile.noise(128 * 4, 2);
    String other = "lora_unet_transformer_blocks_0_attn_to_q";
    AdapterFile file =
        new AdapterFile()
            .values(TO_Q + ".lora_A.weight", down, 4, 128)
            .values(TO_Q + ".lora_B.weight", up, 128, 4)
            .values(other + ".lora_down.weight", down, 4, 128)
            .values(other + ".lora_up.weight", up, 128, 4)
            .alpha(other, 4);
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain chain = model.chain(write(file));
      assertThat(chain.updatesOf(Component.TRANSFORMER, WEIGHT)).hasSize(1);
      assertThat(chain.unmatched())
          .extracting(UnmatchedKey::reason)
          .hasSizeBetween(2, 3)
          .allMatch(reason -> reason.startsWith("the same change as '"));
    }
    // In another strength it is not the same.
    assertRefused(
        write(file.alpha(other, 2)), TO_Q + ".lora_A.weight", other, "two different ways");
  }

  @Test
  void whatIsNewOfTwoNamesIsApplied() throws IOException {
    float[] down = AdapterFile.noise(4 * 128, 1);
    float[] up = AdapterFile.noise(384 * 4, 2);
    AdapterFile file =
        new AdapterFile()
            .values(TO_Q + ".lora_A.weight", down, 4, 128)
            .values(TO_Q + ".lora_B.weight", Arrays.copyOf(up, 128 * 4), 128, 4)
            .values(KOHYA_QKV + ".lora_down.weight", down, 4, 128)
            .values(KOHYA_QKV + ".lora_up.weight", up, 384, 4);
    AdapterFile alone =
        new AdapterFile()
            .values(KOHYA_QKV + ".lora_down.weight", down, 4, 128)
            .values(KOHYA_QKV + ".lora_up.weight", up, 384, 4);
    try (TinyFlux model = new TinyFlux()) {
      AdapterChain both = model.chain(write(file));
      AdapterChain one = model.chain(alone.write(folder.resolve("alone.safetensors")));
      assertThat(both.changedWeights(Component.TRANSFORMER)).hasSize(3);
      for (String weight : one.changedWeights(Component.TRANSFORMER)) {
        assertThat(model.merger(both, Component.TRANSFORMER).mergeToFloats(weight))
            .isEqualTo(model.merger(one, Component.TRANSFORMER).mergeToFloats(weight));
      }
    }
  }

  @Test
  void namesThatATerminalWouldObey() throws IOException {
    String bad = "transformer.\u001b[2J\u009b31m\u202e.lora_A.weight";
    AdapterSpec spec = write(peft().noise(bad, 4, 128).noise(bad.replace("_A", "_B"), 128, 4));
    assertRefused(spec, "2 of 4 keys", "\\u001b[2J\\u009b31m\\u202e");
    try (TinyFlux model = new TinyFlux()) {
      assertThatThrownBy(() -> model.chain(spec))
          .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\u001b", "\u009b", "\u202e"));
    }
  }

  @Test
  void oneOfTwoAdaptersDoesNotFit() throws IOException {
    AdapterSpec good = TinyFlux.spec("peft");
    AdapterSpec bad = write(new AdapterFile().pair(TO_Q, 4, 64, 128));
    try (TinyFlux model = new TinyFlux()) {
      for (AdapterSpec[] both : new AdapterSpec[][] {{good, bad}, {bad, good}}) {
        assertThatThrownBy(() -> model.chain(both))
            .isInstanceOf(AdapterException.class)
            .hasMessageContaining(bad.path().toString());
      }
      // Nothing holds on to what the failures had opened.
      AdapterChain chain = model.chain(good);
      assertThat(chain.changedWeights(Component.TRANSFORMER)).isNotEmpty();
    }
  }

  @Test
  void filesThatAreNone() throws IOException {
    assertThatThrownBy(() -> Adapter.open(folder.resolve("missing.safetensors")))
        .isInstanceOf(NoSuchFileException.class);
    Path text = Files.writeString(folder.resolve("text.safetensors"), "not an adapter at all");
    assertThatThrownBy(() -> Adapter.open(text)).isInstanceOf(FileFormatException.class);
    Path model = TinyFlux.CHECKPOINT.resolve("vae/diffusion_pytorch_model.safetensors");
    assertThatThrownBy(() -> Adapter.open(model))
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll(model.toString(), "holds no adapter", "whole weights");
  }

  // Minor components

  @Test
  void minorComponentsNeedTheirBase() throws IOException {
    AdapterSpec minor = TinyFlux.spec("urae_4k_adapter");
    assertRefused(minor, "minor components", "allowBareMinorComponents", "processor.to_");
    try (TinyFlux model = new TinyFlux()) {
      AdapterSpec lora = TinyFlux.spec("urae_2k_adapter");
      assertThatThrownBy(() -> model.chain(minor, lora)).isInstanceOf(AdapterException.class);
      assertThat(model.chain(new AdapterOptions(false, true), minor).changedNetworks())
          .isEqualTo(Set.of(Component.TRANSFORMER));
      assertThat(model.chain(lora, minor).adapters().get(1).format())
          .isEqualTo(AdapterFormat.MINOR_COMPONENTS);
    }
  }

  @Test
  void minorComponentsBesideLowRankUpdates() throws IOException {
    UnaryOperator<String> key = side -> "transformer_blocks.0.attn.processor.to_q_" + side;
    assertRefused(
        write(peft().noise(key.apply("a.weight"), 4, 128).noise(key.apply("b.weight"), 128, 4)),
        "minor components and low-rank updates at once");
  }

  @Test
  void scales() {
    assertThat(AdapterSpec.parse("a=b.safetensors=0.5"))
        .isEqualTo(new AdapterSpec(Path.of("a=b.safetensors"), 0.5));
    assertThat(AdapterSpec.parse("a=b.safetensors"))
        .isEqualTo(new AdapterSpec(Path.of("a=b.safetensors"), 1));
    assertThatThrownBy(() -> AdapterSpec.parse("a.safetensors=NaN"))
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll("a.safetensors", "finite");
  }

  /** What is no path, as an id with a colon is none on Windows. */
  @Test
  void whatIsNamedNeedNotBeAPath() {
    assertThat(ScaledName.parse("org/name:a\0=0.5")).isEqualTo(new ScaledName("org/name:a\0", 0.5));
    assertThat(ScaledName.parse("org//name")).isEqualTo(new ScaledName("org//name", 1));
  }

  /** {@code lora_alpha=16} is a file's name, or file and scale: whichever is there. */
  @Test
  void aNameThatEndsInANumberIsToldByWhatExists() throws IOException {
    Path named = folder.resolve("lora_alpha=16");
    Path plain = folder.resolve("lora_alpha");
    assertThat(AdapterSpec.parse(named.toString())).isEqualTo(new AdapterSpec(plain, 16));
    Files.createFile(named);
    assertThat(AdapterSpec.parse(named.toString())).isEqualTo(new AdapterSpec(named, 1));
    assertThat(AdapterSpec.parse(named + "=0.5")).isEqualTo(new AdapterSpec(named, 0.5));
    Files.createFile(plain);
    assertThatThrownBy(() -> AdapterSpec.parse(named.toString()))
        .isInstanceOf(AdapterException.class)
        .hasMessageContainingAll("both", named + "=1");
    assertThat(AdapterSpec.parse(plain + "=16.0")).isEqualTo(new AdapterSpec(plain, 16));
    Files.delete(named);
    assertThat(AdapterSpec.parse(named.toString())).isEqualTo(new AdapterSpec(plain, 16));
  }
}
