package io.github.urae.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.AdapterException;
import io.github.urae.FileFormatException;
import io.github.urae.UraeException;
import io.github.urae.adapter.internal.format.ParsedAdapter;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where an adapter lies, and where its alpha is said. */
class AdapterSettingsTest {

  private static final String MODULE = "transformer_blocks.0.attn.to_q";
  private static final String KEY = "lora_adapter_metadata";
  private static final String WEIGHTS = "adapter_model.safetensors";

  @TempDir Path folder;

  private static AdapterFile peft() {
    return new AdapterFile().pair("base_model.model." + MODULE, 4, 128, 128);
  }

  private Path write(String name, AdapterFile file) throws IOException {
    Path path = folder.resolve(name);
    Files.createDirectories(path.getParent());
    return file.write(path).path();
  }

  private void configure(String json) throws IOException {
    Files.writeString(folder.resolve("adapter_config.json"), json);
  }

  private static double scaleOf(Path path) throws IOException {
    try (Adapter adapter = Adapter.open(path)) {
      return adapter.modules().get(0).scale();
    }
  }

  private static void assertRefused(Path path, String... parts) {
    assertThatThrownBy(() -> Adapter.open(path))
        .isInstanceOf(UraeException.class)
        .hasMessageContainingAll(parts);
  }

  // PEFT's configuration beside the file

  @Test
  void theConfigurationBesideIsPartOfTheAdapter() throws IOException {
    Path file = write(WEIGHTS, peft());
    String bare;
    try (ParsedAdapter adapter = ParsedAdapter.open(file)) {
      bare = adapter.digest();
    }
    configure("{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 16, \"lora_dropout\": NaN}");
    assertThat(scaleOf(file)).isEqualTo(4);
    assertThat(scaleOf(folder)).isEqualTo(4);
    // Merged weights of the cache go by it.
    try (ParsedAdapter adapter = ParsedAdapter.open(file)) {
      assertThat(adapter.digest()).isNotEqualTo(bare);
    }
    configure("{\"lora_alpha\": 16, \"use_rslora\": true}");
    assertThat(scaleOf(file)).isEqualTo(8);
    configure("{\"lora_alpha\": 16, \"alpha_pattern\": {\"attn.to_q\": 2}}");
    assertThat(scaleOf(file)).isEqualTo(0.5);
    configure("{\"peft_type\": \"LOHA\", \"alpha\": 2}");
    assertThat(scaleOf(file)).isEqualTo(0.5);
  }

  @Test
  void aTensorSaysMoreThanTheConfiguration() throws IOException {
    configure("{\"lora_alpha\": 16}");
    assertThat(scaleOf(write(WEIGHTS, peft().alpha("base_model.model." + MODULE, 2))))
        .isEqualTo(0.5);
  }

  /** Some programs write a whole number. */
  @Test
  void alphaOfIntegers() throws IOException {
    ByteBuffer eight = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, 8);
    AdapterFile file =
        peft()
            .tensor(
                "base_model.model." + MODULE + ".alpha",
                Tensor.view(ElementType.I64, Shape.of(), eight, "eight"));
    assertThat(scaleOf(write(WEIGHTS, file))).isEqualTo(2);
  }

  @Test
  void inAFolderOfSeveralItBelongsToThatOfPeftsName() throws IOException {
    configure("{\"lora_alpha\": 16}");
    Path other = write("style.safetensors", peft());
    assertThat(scaleOf(other)).isEqualTo(4);
    Path weights = write(WEIGHTS, peft());
    assertThat(scaleOf(other)).isEqualTo(1);
    assertThat(scaleOf(weights)).isEqualTo(4);
  }

  @Test
  void configurationsThatCannotBeUsed() throws IOException {
    Path file = write(WEIGHTS, peft());
    configure("{");
    assertThatThrownBy(() -> Adapter.open(file))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("adapter_config.json");
    configure("[]");
    assertRefused(file, "adapter_config.json", "expected a JSON object");
    configure("{\"lora_alpha\": \"16\"}");
    assertRefused(file, "adapter_config.json", "lora_alpha: expected a number, found \"16\"");
    configure("{\"peft_type\": \"OFT\"}");
    assertRefused(file, "adapter_config.json", "'OFT'", "not supported");
    configure("{\"lora_alpha\": 4, \"init_lora_weights\": \"pissa_niter_4\"}");
    assertRefused(file, "init_lora_weights 'pissa_niter_4'", "convert");
    configure("{\"lora_alpha\": 4, \"layer_replication\": [[0, 4], [2, 5]]}");
    assertRefused(file, "layer_replication");
    configure("{\"lora_alpha\": 4, \"init_lora_weights\": true, \"layer_replication\": null}");
    assertThat(scaleOf(file)).isEqualTo(1);
    Files.delete(folder.resolve("adapter_config.json"));
    Files.createDirectory(folder.resolve("adapter_config.json"));
    assertRefused(file, "adapter_config.json", "expected a file, found a folder");
  }

  @Test
  void placesThatSayWhatDiffers() throws IOException {
    Path file = write(WEIGHTS, peft().metadata("lora_alpha", "8"));
    configure("{\"lora_alpha\": 16}");
    assertRefused(
        file, "adapter_config.json", "16.0", "metadata", "8.0", "belongs to another adapter");
    configure("{\"lora_alpha\": 8}");
    assertThat(scaleOf(file)).isEqualTo(2);
  }

  // Metadata

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "lora_alpha | 8 | 2",
        "lora_alpha | 8.0 | 2",
        "lora_alpha | \"8\" | 2",
        "transformer.lora_alpha | 8 | 2",
        "network_alpha | 8 | 2",
        "networkalpha | 8 | 2",
        "alpha | 8 | 2",
        "alpha | None | 1",
        "alpha | weighted | 1",
        "text_encoder.lora_alpha | 8 | 1",
        // kohya's converter leaves it in files that hold alpha in their matrices.
        "ss_network_alpha | 8 | 1",
        "lora_config | {\"r\": 4, \"lora_alpha\": 8} | 2",
        "adapter_config | {\"lora_alpha\": 8, \"use_rslora\": true} | 4",
        "comment | {\"lora_alpha\" is 8} | 1",
        "lora_adapter_metadata | null | 1",
        "lora_adapter_metadata | \"{\\\"lora_alpha\\\": 8}\" | 2",
        "alpha_pattern | {\"to_q\": 8} | 2"
      })
  void alphaInMetadata(String key, String value, double scale) throws IOException {
    assertThat(scaleOf(write("style.safetensors", peft().metadata(key, value)))).isEqualTo(scale);
  }

  @Test
  void whatMayMeanManyThingsGivesWayToWhatDoesNot() throws IOException {
    AdapterFile file =
        peft().metadata(KEY, "{\"transformer.lora_alpha\": 8}").metadata("alpha", "0.5");
    assertThat(scaleOf(write("style.safetensors", file))).isEqualTo(2);
  }

  // Patterns: expected values are those of Python's re.match(r"(.*\.)?(PATTERN)$", name)

  @ParameterizedTest
  @CsvSource({
    "^transformer_blocks.0.attn.to_q, true",
    "^transformer_blocks\\.0\\.attn\\.to_q$, true",
    "to_q, true",
    "attn.to_q, true",
    "0.attn.to_q, true",
    "q, false",
    "o_q, false",
    "^attn.to_q, false",
    "transformer_blocks\\.\\d+\\.attn\\.to_q, true",
    "to_(q|k), true",
    "to_k|to_q, true",
    "transformer_blocks.0, false",
    "transformer_blocks.0.attn.to_q., false",
    "attn_to_q, false",
    ".*to_q, true",
    "blocks.0.attn.to_q, false",
    "transformer_blocks.1.attn.to_q, false",
    "[a-z_]+to_q, false",
    "to_q$, true",
    ".ttn.to_q, true",
    "'', false",
    "^.*\\.to_q, true",
    "to_qq?, true"
  })
  void patternsFitAsInPeft(String pattern, boolean fits) throws IOException {
    String json =
        "{\"lora_alpha\": 4, \"alpha_pattern\": {\"" + pattern.replace("\\", "\\\\") + "\": 8}}";
    for (String prefix : List.of("base_model.model.", "transformer.", "")) {
      AdapterFile file = new AdapterFile().pair(prefix + MODULE, 4, 128, 128).metadata(KEY, json);
      assertThat(scaleOf(write("style.safetensors", file))).as(prefix).isEqualTo(fits ? 2 : 1);
    }
  }

  @Test
  void theFirstPatternThatFitsCounts() throws IOException {
    String json = "{\"alpha_pattern\": {\"to_k\": 1, \"to_q\": 8, \"attn.to_q\": 16}}";
    assertThat(scaleOf(write("style.safetensors", peft().metadata(KEY, json)))).isEqualTo(2);
  }

  /** diffusers writes one for every module; a file of anybody's may hold worse. */
  @Test
  @Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void manyPatternsTakeNoTime() throws IOException {
    AdapterFile file = new AdapterFile();
    StringBuilder names = new StringBuilder();
    StringBuilder expressions = new StringBuilder();
    for (int i = 0; i < 800; i++) {
      String module = "transformer.single_transformer_blocks." + i + ".attn.to_q";
      file.values(module + ".lora_A.weight", new float[] {1}, 1, 1)
          .values(module + ".lora_B.weight", new float[] {1}, 1, 1);
      names.append(i == 0 ? "" : ",").append("\"^single_transformer_blocks.").append(i);
      names.append(".attn.to_q\": ").append(i + 1);
      expressions.append(i == 0 ? "" : ",").append("\"(.*.*.*.*.*.*x)*").append(i).append("\": 1");
    }
    file.metadata(KEY, "{\"alpha_pattern\": {" + names + "}}");
    try (Adapter adapter = Adapter.open(write("style.safetensors", file))) {
      assertThat(adapter.modules()).hasSize(800);
      for (Adapter.Module module : adapter.modules()) {
        int block = Integer.parseInt(module.name().split("\\.", -1)[2]);
        assertThat(module.scale()).isEqualTo(block + 1);
      }
    }
    file.metadata(KEY, "{\"alpha_pattern\": {" + expressions + "}}");
    assertRefused(write("style.safetensors", file), "alpha_pattern", "takes too long");
  }

  // Folders

  @Test
  void theUsualNameIsMeantWhateverElseIsThere() throws IOException {
    write("pytorch_lora_weights.safetensors", peft());
    write("optimizer.safetensors", new AdapterFile().noise("state", 2));
    try (TinyFlux model = new TinyFlux();
        AdapterChain chain = model.chain(new AdapterSpec(folder, 1))) {
      assertThat(chain.changedWeights(Component.TRANSFORMER)).containsExactly(MODULE + ".weight");
      assertThat(chain.adapters().get(0).path())
          .isEqualTo(folder.resolve("pytorch_lora_weights.safetensors"));
    }
  }

  @Test
  void theOnlyFileIsMeant() throws IOException {
    write("transformer/style.safetensors", peft());
    Files.writeString(folder.resolve("README.md"), "about");
    assertThat(scaleOf(folder)).isEqualTo(1);
  }

  @Test
  void aRepositoryOfHuggingFacesCache() throws IOException {
    write("models--a--b/snapshots/0f/style.safetensors", peft());
    Files.createDirectories(folder.resolve("models--a--b/refs"));
    Files.writeString(folder.resolve("models--a--b/refs/main"), "0f");
    assertThat(scaleOf(folder.resolve("models--a--b"))).isEqualTo(1);
    assertThat(scaleOf(folder.resolve("models--a--b/snapshots/0f"))).isEqualTo(1);
  }

  @Test
  void foldersOfWhichItIsNotClear() throws IOException {
    assertRefused(folder, folder.toString(), "found no .safetensors file");
    Files.writeString(folder.resolve("adapter_model.bin"), "x");
    assertRefused(folder, "pickled weights (.bin)");
    write("b.safetensors", peft());
    write("a.safetensors", peft());
    assertRefused(folder, "holds 2 files", "name one of them: a.safetensors, b.safetensors");
    write(WEIGHTS, peft());
    write("pytorch_lora_weights.safetensors", peft());
    assertRefused(folder, "name one of them: adapter_model.safetensors, pytorch_lora_weights");
    assertRefused(TinyFlux.CHECKPOINT, "a whole checkpoint", "as the model");
  }

  // Names of files that are no adapters

  @ParameterizedTest
  @ValueSource(
      strings = {
        "clip_l, t5xxl | a textual inversion",
        "<my-word> | a textual inversion",
        "double_blocks.0.img_attn.qkv.weight, img_in.weight | a whole transformer",
        "transformer_blocks.0.attn.to_q.weight, x_embedder.weight | a whole transformer",
        "model.diffusion_model.double_blocks.0.img_attn.qkv.weight | a whole transformer",
        "encoder.conv_in.weight, decoder.conv_in.weight | whole weights",
        "controlnet_x_embedder.weight, controlnet_blocks.0.weight | a ControlNet",
        "double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight | an IP-Adapter",
        "image_proj.proj.weight, ip_adapter.1.to_k_ip.weight | an IP-Adapter"
      })
  void otherFiles(String keysAndName) throws IOException {
    String[] parts = keysAndName.split(" \\| ", -1);
    AdapterFile file = new AdapterFile();
    for (String key : parts[0].split(", ", -1)) {
      file.noise(key, 4, 4);
    }
    assertThatThrownBy(() -> Adapter.open(write("style.safetensors", file)))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining(parts[1]);
  }

  @ParameterizedTest
  @CsvSource({
    "a1.weight, a GLoRA adapter",
    "boft_R, a BOFT adapter",
    "oft_R.default.weight, an OFT adapter",
    "ia3_l, an IA3 adapter",
    "vera_lambda_b, a VeRA adapter",
    "lora_E, an AdaLoRA adapter",
    "hra_u, an HRA adapter",
    "fourierft_spectrum, a FourierFT adapter",
    "randlora_lambda, a RandLoRA adapter",
    "lora_embedding_A, a LoRA of embeddings",
    "reshape_weight, a control LoRA"
  })
  void otherKindsByOneKey(String ending, String name) throws IOException {
    AdapterFile file = peft().noise("base_model.model." + MODULE + "." + ending, 4, 4);
    assertRefused(write("style.safetensors", file), name, ending);
  }
}
