package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.device.Device;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.onnx.internal.source.OriginalNames;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A checkpoint draws the same picture in whatever form it is held, or says what it is. */
class StoredCheckpointsTest {

  private static final Duration SOON = Duration.ofMinutes(2);
  private static final JsonMapper JSON = new JsonMapper();

  private static byte[] expected;

  @TempDir Path folder;

  @BeforeAll
  static void draw() throws IOException {
    expected = picture(new CheckpointCopy(TestData.checkpoint()));
  }

  private static byte[] picture(CheckpointCopy checkpoint) throws IOException {
    try (FluxPipeline pipeline = checkpoint.open()) {
      return picture(pipeline);
    }
  }

  private static byte[] picture(FluxPipeline pipeline) {
    Tensor latents =
        pipeline
            .generate(
                GenerationRequest.builder("a red circle, é ﬁ 🙂")
                    .size(64, 64)
                    .steps(2)
                    .seed(7)
                    .build())
            .get(0)
            .latents();
    byte[] bytes = new byte[latents.data().remaining()];
    latents.data().get(bytes);
    return bytes;
  }

  private CheckpointCopy renamed(CheckpointCopy copy, String network, UnaryOperator<String> name)
      throws IOException {
    return copy.rewrite(
        network,
        tensors -> {
          Map<String, Tensor> renamed = new LinkedHashMap<>();
          tensors.forEach((old, tensor) -> renamed.put(name.apply(old), tensor));
          return renamed;
        });
  }

  private static void edit(Path file, Consumer<ObjectNode> change) throws IOException {
    ObjectNode tree = (ObjectNode) JSON.readTree(file.toFile());
    change.accept(tree);
    Files.write(file, JSON.writeValueAsBytes(tree));
  }

  /** As transformers 5 and older diffusers store them, and programs that compile or distribute. */
  @Test
  void namesOfAllNetworks() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    renamed(copy, "text_encoder", name -> name.replace("text_model.", ""));
    renamed(copy, "text_encoder_2", name -> name.replace("shared.", "encoder.embed_tokens."));
    renamed(copy, "transformer", name -> "module._orig_mod." + name);
    renamed(
        copy,
        "vae",
        name ->
            name.replace(".to_q.", ".query.")
                .replace(".to_k.", ".key.")
                .replace(".to_v.", ".value.")
                .replace(".to_out.0.", ".proj_attn."));
    assertThat(picture(copy)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "diffusion_model.", "transformer.", "unet.", "model.diffusion_model."})
  void singleFilesAfterAnyPrefix(String prefix) throws IOException {
    Path file = folder.resolve("flux1.safetensors");
    OriginalNames.write(TestData.checkpoint().resolve("transformer"), file);
    try (TensorSource own = Safetensors.open(file)) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (String name : own.tensors().keySet()) {
        tensors.put(prefix + "_orig_mod." + name, own.tensor(name));
      }
      tensors.put("vae.decoder.conv_in.bias", Tensor.ofFloats(new float[1], 1));
      SafetensorsWriter.write(folder.resolve("prefixed.safetensors"), Map.of(), tensors);
    }
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .transformer(folder.resolve("prefixed.safetensors"))
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .build()) {
      assertThat(picture(pipeline)).isEqualTo(expected);
    }
  }

  @Test
  void elementTypesMayBeMixed() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    for (String network : List.of("text_encoder", "text_encoder_2", "transformer", "vae")) {
      ElementType[] types = {ElementType.F32, ElementType.F64};
      copy.rewrite(
          network,
          tensors -> {
            int[] i = {0};
            tensors.replaceAll(
                (name, tensor) ->
                    i[0]++ % 3 == 0
                        ? tensor
                        : CheckpointCopy.converted(tensor, types[i[0] % types.length]));
            return tensors;
          });
    }
    assertThat(picture(copy)).isEqualTo(expected);
  }

  @Test
  void configurationsAsOtherVersionsWriteThem() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    edit(
        copy.file("text_encoder/config.json"),
        own -> {
          ObjectNode text = own.deepCopy();
          own.removeAll();
          own.put("model_type", "clip").put("projection_dim", 64);
          own.set("text_config", text.put("_name_or_path", "").put("num_hidden_layers", 2.0));
          own.putObject("vision_config").put("hidden_size", 9);
        });
    edit(
        copy.file("transformer/config.json"),
        own -> {
          own.put("num_layers", 2.0).put("guidance_embeds", true).put("new_key", "x");
          own.putNull("out_channels");
          own.putArray("_use_default_values").add("patch_size");
          own.remove("patch_size");
          own.remove("in_channels");
          own.remove("_class_name");
        });
    edit(
        copy.file("vae/config.json"),
        own -> own.put("layers_per_block", 1.0).putArray("sample_size").add(128).add(128));
    edit(
        copy.file("text_encoder_2/config.json"),
        own -> own.putNull("relative_attention_max_distance"));
    for (String file :
        List.of("model_index.json", "scheduler/scheduler_config.json", "vae/config.json")) {
      Files.writeString(copy.file(file), "\uFEFF" + Files.readString(copy.file(file)));
    }
    Files.delete(copy.file("tokenizer_2/tokenizer_config.json"));
    Files.writeString(
        copy.file("tokenizer_2/tokenizer_config.json"), "{\"model_max_length\": 64.0}");
    assertThat(picture(copy)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "transformer, num_layers, 2",
    "transformer, num_single_layers, 4",
    "transformer, num_attention_heads, 128",
    "transformer, joint_attention_dim, ",
    "transformer, in_channels, ",
    "transformer, patch_size, ",
    "text_encoder, num_hidden_layers, 2",
    "text_encoder, num_attention_heads, ",
    "text_encoder, vocab_size, 1581",
    "text_encoder, max_position_embeddings, 77",
    "text_encoder, intermediate_size, 256",
    "text_encoder_2, num_layers, 2",
    "text_encoder_2, num_heads, 96",
    "text_encoder_2, d_kv, 96",
    "text_encoder_2, d_ff, 192",
    "text_encoder_2, vocab_size, 1200",
    "text_encoder_2, relative_attention_num_buckets, ",
    "vae, layers_per_block, 1",
    "vae, norm_num_groups, ",
    "vae, sample_size, ",
    "vae, latent_channels, "
  })
  void numbersBeyondSense(String network, String key, String stored) throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    Path file = copy.file(network + "/config.json");
    String before = Files.readString(file);
    for (String value :
        List.of("1000000", "2147483647", "0", "-1", "NaN", "1e300", "\"2\"", "[]")) {
      Files.writeString(
          file, before.replaceFirst("\"" + key + "\": \\d+", "\"" + key + "\": " + value));
      assertTimeoutPreemptively(
          SOON,
          () ->
              assertThatThrownBy(() -> copy.open().close())
                  .as(value)
                  .isInstanceOf(UraeException.class)
                  .hasMessageContaining(file.toString())
                  .hasMessageMatching(
                      "(?s).*('" + key + "|" + key + "'|block_out_channels|axes_dims).*"));
      if (value.equals("1000000") && stored != null) {
        assertThatThrownBy(() -> copy.open().close()).hasMessageContaining(" say " + stored);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "axes_dims_rope | [2147483647, 2147483647, 34]",
        "axes_dims_rope | []",
        "axes_dims_rope | [4, 14, \"14\"]",
        "attention_head_dim | 2147483647"
      })
  void axesBeyondSense(String key, String value) throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    edit(
        copy.file("transformer/config.json"),
        own -> {
          try {
            own.set(key, JSON.readTree(value));
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
    assertThatThrownBy(() -> copy.open().close())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("transformer/config.json", "axes_dims_rope");
  }

  @Test
  void whatIsNoCheckpointIsNamedWithTheWayOut() throws IOException {
    Path empty = Files.createDirectories(folder.resolve("empty"));
    assertRefused(empty, "an empty folder");
    Path single = Files.write(folder.resolve("flux1-dev.safetensors"), new byte[1]);
    assertThatThrownBy(() -> new CheckpointCopy(single).open().close())
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll(single.toString(), "download it again");
    assertRefused(folder, "flux1-dev.safetensors", "--transformer");
    assertRefused(TestData.checkpoint().resolve("vae"), TestData.checkpoint() + ": name that");
    Path snapshots = folder.resolve("hub/models--a--b/snapshots");
    Files.createDirectories(snapshots);
    CheckpointCopy copy = CheckpointCopy.in(snapshots);
    for (Path high : List.of(snapshots, folder.resolve("hub"))) {
      assertRefused(high, copy.folder() + ": name that folder");
    }
    Files.delete(copy.file("model_index.json"));
    assertThatThrownBy(() -> copy.open().close())
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("not complete");
    Path moved = Files.move(copy.folder(), folder.resolve("moved"));
    assertRefused(moved, "not complete");
  }

  private static void assertRefused(Path model, String... parts) {
    assertThatThrownBy(() -> new CheckpointCopy(model).open().close())
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(model.toString())
        .hasMessageContainingAll(parts);
  }

  @Test
  void relativesAreKnownByTheirInputs() throws IOException {
    CheckpointCopy copy =
        CheckpointCopy.in(folder)
            .rewrite(
                "transformer",
                tensors -> {
                  tensors.put("x_embedder.weight", Tensor.ofFloats(new float[128 * 384], 128, 384));
                  return tensors;
                });
    assertThatThrownBy(() -> copy.open().close())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("FLUX.1 Fill", "[128, 384]");
  }

  /** Only a graph of another name. */
  @Test
  void exportsOfOtherNames() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    try (Stream<Path> files = Files.list(copy.file("transformer"))) {
      for (Path file : files.filter(f -> !f.endsWith("config.json")).toList()) {
        Files.delete(file);
      }
    }
    Files.write(copy.file("transformer/model_fp16.onnx"), new byte[9]);
    assertThatThrownBy(() -> copy.open().close())
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContainingAll("model_fp16.onnx", "model.onnx");
  }

  @Test
  void tokensThatTheEncoderDoesNotKnow() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    edit(copy.file("tokenizer/vocab.json"), own -> own.put("<|endoftext|>", 1581));
    try (FluxPipeline pipeline = copy.open()) {
      assertThatThrownBy(() -> picture(pipeline))
          .isInstanceOf(ModelException.class)
          .hasMessageContainingAll("text_encoder", "token 1581", "knows 1581", "'vocab_size'");
    }
  }
}
