package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.device.Device;
import io.github.urae.device.Precision;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is wrong with a checkpoint is said when it is opened, by file, tensor or key. */
class BrokenCheckpointTest {

  private static final String SHARD =
      "transformer/diffusion_pytorch_model-00002-of-00003.safetensors";

  @TempDir Path folder;

  private static void assertRefused(
      CheckpointCopy checkpoint, Class<? extends Exception> type, String... parts) {
    var thrown = assertThatThrownBy(() -> checkpoint.open().close()).isInstanceOf(type);
    for (String part : parts) {
      thrown.hasMessageContaining(part);
    }
  }

  /** A mistyped path costs no unpacking. */
  @Test
  void nothingIsUnpackedForAModelThatIsNotThere() {
    Path cache = folder.resolve("cache");
    FluxPipeline.Builder builder =
        FluxPipeline.builder().model(folder.resolve("none")).cacheFolder(cache);
    assertThatThrownBy(builder::build).isInstanceOf(IOException.class);
    assertThat(cache).doesNotExist();
  }

  @Test
  void settingsAreCheckedWhereTheyAreGiven() {
    FluxPipeline.Builder builder = FluxPipeline.builder();
    assertThatThrownBy(() -> builder.cacheLimit(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("cache limit");
    assertThatThrownBy(() -> builder.memoryLimit(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> builder.threads(0)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void precisionThatTheProcessorHasNotIsRefused() {
    assertThatThrownBy(
            () ->
                FluxPipeline.builder()
                    .model(TestData.checkpoint())
                    .device(Device.cpu())
                    .cacheFolder(TestData.CACHE)
                    .precision(Precision.BFLOAT16)
                    .build())
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("expected float32 or auto");
  }

  @Test
  void aFolderThatIsNoCheckpoint() throws IOException {
    assertRefused(new CheckpointCopy(folder), ModelException.class, "no model_index.json");
    Path file = Files.writeString(folder.resolve("model.safetensors"), "x");
    assertRefused(new CheckpointCopy(file), FileFormatException.class, "model.safetensors", "text");
    Path missing = folder.resolve("missing");
    assertRefused(new CheckpointCopy(missing), NoSuchFileException.class, "missing");
  }

  @ParameterizedTest
  @CsvSource({
    "FluxFillPipeline, FLUX.1 Fill",
    "FluxKontextPipeline, FLUX.1 Kontext",
    "FluxControlPipeline, Control",
    "Flux2Pipeline, FLUX.2",
    "StableDiffusionXLPipeline, Stable Diffusion XL",
    "SomethingElsePipeline, SomethingElsePipeline"
  })
  void otherKindsAreRefusedByName(String className, String name) throws IOException {
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder).replace("model_index.json", "FluxPipeline", className);
    assertRefused(checkpoint, ModelException.class, "model_index.json", className, name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "text_encoder_2/config.json",
        "text_encoder_2/model-00002-of-00003.safetensors",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        "tokenizer_2/tokenizer.json",
        "transformer/config.json",
        SHARD,
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors"
      })
  void missingFiles(String name) throws IOException {
    CheckpointCopy checkpoint = CheckpointCopy.in(folder);
    Files.delete(checkpoint.file(name));
    // Where a folder is left without weights, it is named instead of a file.
    String named = name.endsWith("model.safetensors") ? Path.of(name).getParent().toString() : name;
    assertRefused(checkpoint, NoSuchFileException.class, named);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "text_encoder | \"hidden_act\": \"quick_gelu\" | \"hidden_act\": \"relu\" | 'hidden_act'",
        "text_encoder | \"num_attention_heads\": 4 | \"num_attention_heads\": 3 | 'num_attention_heads'",
        "text_encoder | clip_text_model | siglip | 'model_type'",
        "text_encoder | \"hidden_size\": 64 | \"hidden_size\": 32 | 'hidden_size'",
        "text_encoder_2 | gated-gelu | gated-silu | 'feed_forward_proj'",
        "text_encoder_2 | \"num_layers\": 2 | \"num_layers\": \"2\" | 'num_layers'",
        "text_encoder_2 | \"num_layers\": 2 | \"num_layers\": 0 | 'num_layers'",
        "text_encoder_2 | \"d_model\": 96 | \"d_model\": 64 | 'd_model'",
        "text_encoder_2 | \"relative_attention_num_buckets\": 32 | \"relative_attention_num_buckets\": 7 | 'relative_attention_num_buckets'",
        "transformer | \"in_channels\": 64 | \"in_channels\": 384 | FLUX.1 Fill",
        "transformer | \"in_channels\": 64 | \"in_channels\": 128 | FLUX.2",
        "transformer | FluxTransformer2DModel | Flux2Transformer2DModel | '_class_name'",
        "transformer | \"patch_size\": 1 | \"patch_size\": 2 | 'patch_size'",
        "transformer | \"attention_head_dim\": 32 | \"attention_head_dim\": 64 | 'axes_dims_rope'",
        "transformer | \"guidance_embeds\": true | \"guidance_embeds\": \"yes\" | 'guidance_embeds'",
        "transformer | \"num_single_layers\": 4, | \"x\": 4, | 'num_single_layers'",
        "vae | \"latent_channels\": 16 | \"latent_channels\": 4 | 'latent_channels'",
        "vae | \"act_fn\": \"silu\" | \"act_fn\": \"relu\" | 'act_fn'",
        "vae | \"use_post_quant_conv\": false | \"use_post_quant_conv\": true | 'use_post_quant_conv'",
        "vae | \"norm_num_groups\": 8 | \"norm_num_groups\": 7 | 'block_out_channels'",
        "vae | \"scaling_factor\": 0.7232 | \"scaling_factor\": \"x\" | 'scaling_factor'"
      })
  void unknownConfigurations(String network, String text, String replacement, String named)
      throws IOException {
    String file = network + "/config.json";
    CheckpointCopy checkpoint = CheckpointCopy.in(folder).replace(file, text, replacement);
    assertRefused(checkpoint, ModelException.class, file, named);
  }

  @Test
  void configurationsThatAreNoJson() throws IOException {
    CheckpointCopy checkpoint = CheckpointCopy.in(folder);
    Files.writeString(checkpoint.file("vae/config.json"), "{\"act_fn\": ");
    assertRefused(checkpoint, FileFormatException.class, "vae/config.json", "JSON");
  }

  @Test
  void truncatedWeights() throws IOException {
    CheckpointCopy checkpoint = CheckpointCopy.in(folder);
    try (FileChannel file = FileChannel.open(checkpoint.file(SHARD), StandardOpenOption.WRITE)) {
      file.truncate(file.size() - 1);
    }
    assertRefused(checkpoint, FileFormatException.class, SHARD, "truncated");
  }

  @Test
  void aHeaderThatLiesAboutOffsets() throws IOException {
    CheckpointCopy checkpoint = CheckpointCopy.in(folder);
    Path shard = checkpoint.file(SHARD);
    byte[] bytes = Files.readAllBytes(shard);
    String header = new String(bytes, StandardCharsets.ISO_8859_1);
    int at = header.indexOf("\"data_offsets\":[0,64]");
    bytes[at + "\"data_offsets\":[0,6".length()] = '2';
    Files.write(shard, bytes);
    assertRefused(checkpoint, FileFormatException.class, SHARD, "data_offsets span 62");
  }

  @Test
  void wrongShapes() throws IOException {
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder)
            .replace(
                "transformer/config.json", "\"num_single_layers\": 4", "\"num_single_layers\": 5");
    assertRefused(checkpoint, ModelException.class, "'num_single_layers': found 5", "say 4");
    CheckpointCopy reshaped =
        new CheckpointCopy(checkpoint.folder())
            .replace(
                "transformer/config.json", "\"num_single_layers\": 5", "\"num_single_layers\": 4")
            .rewrite(
                "transformer",
                tensors -> {
                  Tensor old = tensors.get("x_embedder.weight");
                  tensors.put(
                      "x_embedder.weight",
                      Tensor.view(old.type(), Shape.of(64, 128), old.data(), "reshaped"));
                  return tensors;
                });
    assertRefused(
        reshaped,
        ModelException.class,
        "transformer/model.safetensors",
        "'x_embedder.weight'",
        "expected shape [128, 64]",
        "found [64, 128]");
  }

  @Test
  void missingTensors() throws IOException {
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder)
            .rewrite(
                "vae",
                tensors -> {
                  tensors.remove("decoder.conv_out.bias");
                  return tensors;
                });
    assertRefused(
        checkpoint, ModelException.class, "vae_decoder", "'decoder.conv_out.bias' [3]", "missing");
  }

  @Test
  void wrongElementTypes() throws IOException {
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder)
            .rewrite(
                "text_encoder",
                tensors -> {
                  String name = "text_model.final_layer_norm.bias";
                  ByteBuffer integers = ByteBuffer.allocate(64);
                  tensors.put(
                      name, Tensor.view(ElementType.I8, Shape.of(64), integers, "integers"));
                  return tensors;
                });
    assertRefused(checkpoint, ModelException.class, "text_model.final_layer_norm.bias", "found I8");
  }

  @Test
  void scalesThatDoNotFitTheirWeight() throws IOException {
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder)
            .rewrite(
                "transformer",
                tensors -> {
                  tensors.put("x_embedder.scale_weight", Tensor.ofFloats(new float[3], 3));
                  return tensors;
                });
    assertRefused(checkpoint, FileFormatException.class, "x_embedder.scale_weight", "scale");
  }

  @Test
  void aFailedStartLeavesNothingOpen() throws IOException {
    Path maps = Path.of("/proc/self/maps");
    assumeTrue(Files.exists(maps), "needs Linux");
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder)
            .replace("vae/config.json", "\"act_fn\": \"silu\"", "\"act_fn\": 3");
    assertRefused(checkpoint, ModelException.class, "act_fn");
    checkpoint.replace("vae/config.json", "\"act_fn\": 3", "\"act_fn\": \"silu\"");
    Files.delete(checkpoint.file("vae/diffusion_pytorch_model.safetensors"));
    assertRefused(checkpoint, NoSuchFileException.class, "vae");
    assertThat(Files.readString(maps)).doesNotContain(folder.toString());
  }

  @Test
  void buildingWithoutAModelSaysSo() {
    assertThatThrownBy(() -> FluxPipeline.builder().device(Device.cpu()).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("model(...)");
  }

  @Test
  void aHuggingFaceCacheFolderIsUnderstood() throws IOException {
    Path model = folder.resolve("models--org--name");
    Path snapshots = Files.createDirectories(model.resolve("snapshots"));
    assertRefused(new CheckpointCopy(model), ModelException.class, "expected one snapshot");
    Files.createDirectories(model.resolve("blobs"));
    Files.move(CheckpointCopy.in(folder).folder(), snapshots.resolve("abc123"));
    linkToBlobs(model, snapshots.resolve("abc123"));
    Files.createDirectories(snapshots.resolve("older"));
    Files.createDirectories(model.resolve("refs"));
    Files.writeString(model.resolve("refs/main"), "abc123\n");
    try (FluxPipeline pipeline = new CheckpointCopy(model).open()) {
      assertThat(pipeline.model().name()).isEqualTo("org/name");
      assertThat(pipeline.generate("a star", 64, 64).record().model()).isEqualTo("org/name");
    }
    assertThat(TestData.CACHE).isDirectory();
  }

  @Test
  void anIncompleteDownloadIsToldAsSuch() throws IOException {
    Path model = folder.resolve("models--org--name");
    Path snapshot = model.resolve("snapshots").resolve("abc123");
    Files.createDirectories(snapshot.getParent());
    Files.move(CheckpointCopy.in(folder).folder(), snapshot);
    Files.createDirectories(model.resolve("blobs"));
    linkToBlobs(model, snapshot);
    CheckpointCopy download = new CheckpointCopy(model);
    for (String name :
        new String[] {
          "transformer/diffusion_pytorch_model-00002-of-00003.safetensors",
          "vae/diffusion_pytorch_model.safetensors",
          "tokenizer/merges.txt",
          "tokenizer_2/tokenizer.json",
          "scheduler/scheduler_config.json",
          "model_index.json"
        }) {
      Path blob = snapshot.resolve(name).toRealPath();
      Path aside = folder.resolve("aside");
      // A link without its file: the rest was deleted, or never came.
      Files.move(blob, aside);
      assertRefused(
          download, NoSuchFileException.class, "the download of org/name is not complete");
      Files.move(aside, blob);
    }
  }

  /** Moves every file of a snapshot to the blobs folder and leaves a relative link, as there. */
  private static void linkToBlobs(Path model, Path snapshot) throws IOException {
    try (var files = Files.walk(snapshot)) {
      int number = 0;
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path blob = model.resolve("blobs").resolve("blob" + number++);
        Files.move(file, blob);
        Files.createSymbolicLink(file, file.getParent().relativize(blob));
      }
    }
  }
}
