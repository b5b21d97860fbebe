package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.device.Device;
import io.github.urae.export.OnnxExport;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Models that are nothing but files of weights, as people download them: drawn as the checkpoint is
 * that they were made from, and what is missing or not clear is said.
 */
class ModelFilesTest {

  private static final Path MODEL = TestData.checkpoint();

  @TempDir static Path made;

  @TempDir Path folder;

  private static Path transformer;
  private static Path clip;
  private static Path t5;
  private static Path autoencoder;
  private static Path allInOne;

  @BeforeAll
  static void make() throws IOException {
    transformer = SeparateFiles.transformer(made.resolve("flux1-tiny.safetensors"));
    clip = SeparateFiles.clip(made.resolve("clip_l.safetensors"));
    t5 = SeparateFiles.t5(made.resolve("t5xxl_fp16.safetensors"));
    autoencoder = SeparateFiles.autoencoder(made.resolve("ae.safetensors"));
    allInOne = SeparateFiles.allInOne(made.resolve("all.safetensors"), made);
  }

  private static FluxPipeline.Builder pipeline() {
    return FluxPipeline.builder().device(Device.cpu()).cacheFolder(TestData.CACHE);
  }

  /** Draws what the reference drew with the checkpoint, from other files of the same weights. */
  private static void assertDraws(FluxPipeline.Builder model) throws IOException {
    GoldenCase golden = GoldenCase.named("standard-guidance-1");
    try (FluxPipeline pipeline = model.build()) {
      BufferedImage drawn = pipeline.generate(golden.request().build()).get(0).toBufferedImage();
      assertThat(GoldenCase.largestDifference(golden.pictures().get(0), drawn))
          .isLessThanOrEqualTo(1);
    }
  }

  private static void assertRefused(FluxPipeline.Builder model, String... parts) {
    assertThatThrownBy(() -> model.build().close())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll(parts);
  }

  private static Path put(Path file, Path target) throws IOException {
    Files.createDirectories(target.getParent());
    return Files.copy(file, target, StandardCopyOption.REPLACE_EXISTING);
  }

  /** What the shapes of so small networks do not tell: heads, groups, scaling, the scheduler. */
  private static void configure(Path root) throws IOException {
    for (String name : List.of("text_encoder", "vae", "scheduler")) {
      for (String file : List.of("config.json", "preview_factors.json", "scheduler_config.json")) {
        if (Files.exists(MODEL.resolve(name).resolve(file))) {
          put(MODEL.resolve(name).resolve(file), root.resolve(name).resolve(file));
        }
      }
    }
  }

  private static void tokenizers(Path root) throws IOException {
    for (String name : List.of("tokenizer", "tokenizer_2")) {
      try (Stream<Path> files = Files.list(MODEL.resolve(name))) {
        for (Path file : files.toList()) {
          put(file, root.resolve(name).resolve(file.getFileName().toString()));
        }
      }
    }
  }

  @Test
  void partsMayBeFilesOfTheirOwn() throws IOException {
    assertDraws(
        pipeline()
            .model(MODEL)
            .transformer(transformer)
            .textEncoder(clip)
            .textEncoder2(t5)
            .vae(autoencoder)
            .tokenizers(MODEL));
  }

  @Test
  void oneFileMayServeAllParts() throws IOException {
    assertDraws(
        pipeline()
            .model(MODEL)
            .transformer(allInOne)
            .textEncoder(allInOne)
            .textEncoder2(allInOne)
            .vae(allInOne));
  }

  /** Components of checkpoints bring their configurations and tokenizers. */
  @Test
  void allPartsTogetherNeedNoModel() throws IOException {
    try (FluxPipeline pipeline =
        pipeline()
            .transformer(transformer)
            .textEncoder(MODEL)
            .textEncoder2(MODEL)
            .vae(MODEL)
            .build()) {
      assertThat(pipeline.model().name()).isEqualTo("flux1-tiny.safetensors");
      assertThat(pipeline.model().guidance()).isTrue();
    }
    assertThatThrownBy(() -> pipeline().transformer(transformer).textEncoder(clip).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("model(...)");
  }

  @Test
  void oneFileIsAWholeModel() throws IOException {
    Path file = put(allInOne, folder.resolve("models/checkpoints/flux/whatever.sft"));
    configure(folder.resolve("models"));
    tokenizers(folder.resolve("elsewhere"));
    assertDraws(pipeline().model(file).tokenizers(folder.resolve("elsewhere")));
    tokenizers(folder.resolve("models"));
    assertDraws(pipeline().model(file));
    assertDraws(pipeline().model(folder.resolve("models")));
  }

  /** As ComfyUI keeps them; its own folder of tokenizers lies beside. */
  @Test
  void aFolderOfFilesIsAModel() throws IOException {
    Path models = folder.resolve("ComfyUI/models");
    put(transformer, models.resolve("diffusion_models/FLUX/the-best.safetensors"));
    put(clip, models.resolve("text_encoders/encoder (1).safetensors"));
    put(t5, models.resolve("text_encoders/t5xxl_fp16.safetensors"));
    put(autoencoder, models.resolve("vae/FLUX1/ae.sft"));
    put(TestData.adapter2k(), models.resolve("loras/flux.safetensors"));
    Files.writeString(models.resolve("vae/broken.safetensors"), "Entry not found");
    configure(models);
    Path programs = folder.resolve("ComfyUI/comfy");
    for (String name : List.of("vocab.json", "merges.txt", "tokenizer_config.json")) {
      put(MODEL.resolve("tokenizer").resolve(name), programs.resolve("sd1_tokenizer/" + name));
    }
    put(
        MODEL.resolve("tokenizer_2/tokenizer.json"),
        programs.resolve("text_encoders/t5_tokenizer/tokenizer.json"));
    for (Path model :
        List.of(
            models,
            folder.resolve("ComfyUI"),
            models.resolve("diffusion_models/FLUX/the-best.safetensors"))) {
      assertDraws(pipeline().model(model));
    }
    assertDraws(pipeline().model(models).vae(allInOne).transformer(transformer));

    put(t5, models.resolve("clip/another.safetensors"));
    assertRefused(
        pipeline().model(models),
        "expected one file of T5's encoder, found 2",
        "another.safetensors",
        "t5xxl_fp16.safetensors",
        "--text-encoder-2",
        "textEncoder2(...)");
    assertDraws(pipeline().model(models).textEncoder2(models.resolve("clip/another.safetensors")));
  }

  /** Parts of one set of weights are told by their index, and are no files of their own. */
  @Test
  void shardsAreOneFile() throws IOException {
    try (Stream<Path> files = Files.list(MODEL.resolve("transformer"))) {
      for (Path file : files.filter(f -> !f.endsWith("config.json")).toList()) {
        put(file, folder.resolve("unet").resolve(file.getFileName().toString()));
      }
    }
    put(clip, folder.resolve("clip_l.safetensors"));
    put(t5, folder.resolve("t5.safetensors"));
    put(autoencoder, folder.resolve("ae.safetensors"));
    configure(folder);
    tokenizers(folder);
    assertDraws(pipeline().model(folder));
  }

  /** A download's link into Hugging Face's cache is the same file. */
  @Test
  void linksAreNoSecondFiles() throws IOException {
    Path blobs = folder.resolve("hub/models--a--b/blobs");
    Path snapshot = Files.createDirectories(folder.resolve("hub/models--a--b/snapshots/abc"));
    for (Path file : List.of(transformer, clip, t5, autoencoder)) {
      Path blob = put(file, blobs.resolve("blob-" + file.getFileName()));
      String name = file.getFileName().toString();
      Files.createSymbolicLink(snapshot.resolve(name), blob);
      Files.createSymbolicLink(snapshot.resolve("again-" + name), blob);
    }
    configure(snapshot);
    tokenizers(snapshot);
    assertDraws(pipeline().model(folder.resolve("hub/models--a--b")));
  }

  @Test
  void whatIsMissingIsNamedWithTheOption() throws IOException {
    Path alone = put(transformer, folder.resolve("a/flux.safetensors"));
    assertRefused(
        pipeline().model(alone),
        "CLIP's text encoder, nor of T5's encoder, nor of the autoencoder",
        "--text-encoder FILE",
        "--text-encoder-2 FILE",
        "--vae FILE",
        "ae.safetensors");
    Map<String, Tensor> all = SeparateFiles.tensors(allInOne);
    all.keySet().removeIf(name -> name.startsWith("vae.") || name.contains("clip_l"));
    Path without = SeparateFiles.write(folder.resolve("b/without.safetensors"), all);
    assertRefused(pipeline().model(without), "CLIP's text encoder, nor of the autoencoder");
    put(transformer, folder.resolve("c/dev.safetensors"));
    put(transformer, folder.resolve("c/also-dev.safetensors"));
    assertRefused(
        pipeline().model(folder.resolve("c")), "found 2", "also-dev.safetensors", "--transformer");
    put(clip, folder.resolve("d/clip_l.safetensors"));
    assertRefused(
        pipeline().model(folder.resolve("d")),
        "none of the transformer",
        "clip_l.safetensors: CLIP's text encoder (64 wide)");
  }

  @Test
  void missingTokenizersAreNamedWithTheirPlaces() throws IOException {
    Path file = put(allInOne, folder.resolve("all.safetensors"));
    configure(folder);
    assertRefused(
        pipeline().model(file).tokenizers(made),
        made.toString(),
        "CLIP",
        "vocab.json and merges.txt",
        "T5",
        made.resolve("tokenizer_2").toString(),
        "hf download google-t5/t5-base tokenizer.json",
        "--tokenizers DIR");
  }

  /** A folder with the files of both has one configuration, of either. */
  @Test
  void tokenizersMayShareAFolder() throws IOException {
    for (String name : List.of("vocab.json", "merges.txt")) {
      put(MODEL.resolve("tokenizer").resolve(name), folder.resolve("flat").resolve(name));
    }
    put(MODEL.resolve("tokenizer_2/tokenizer.json"), folder.resolve("flat/tokenizer.json"));
    for (String of : List.of("tokenizer", "tokenizer_2")) {
      put(
          MODEL.resolve(of).resolve("tokenizer_config.json"),
          folder.resolve("flat/tokenizer_config.json"));
      assertDraws(pipeline().model(MODEL).tokenizers(folder.resolve("flat")));
    }
  }

  /** A checkpoint or an export is whole, whatever the model was. */
  @Test
  void filesBecomeACheckpointOrAnExport() throws IOException {
    Path models = folder.resolve("models");
    put(transformer, models.resolve("unet/flux.safetensors"));
    put(clip, models.resolve("clip/clip_l.safetensors"));
    put(TestData.path("quantised/files/t5-encoder-Q8_0.gguf"), models.resolve("clip/t5.gguf"));
    put(autoencoder, models.resolve("vae/ae.safetensors"));
    configure(models);
    for (String name : List.of("vocab.json", "merges.txt")) {
      put(MODEL.resolve("tokenizer").resolve(name), models.resolve("tokenizer").resolve(name));
    }
    CheckpointMerger.builder()
        .model(models)
        .adapter(TestData.adapter2k())
        .cacheFolder(TestData.CACHE)
        .elementType(ElementType.F32)
        .output(folder.resolve("merged"))
        .write();
    OnnxExport.builder()
        .model(models)
        .adapter(TestData.adapter2k())
        .cacheFolder(TestData.CACHE)
        .output(folder.resolve("exported"))
        .write();
    BufferedImage expected = draw(pipeline().model(models).adapter(TestData.adapter2k()));
    for (String made : List.of("merged", "exported")) {
      BufferedImage drawn = draw(pipeline().model(folder.resolve(made)));
      assertThat(GoldenCase.largestDifference(expected, drawn)).as(made).isLessThanOrEqualTo(1);
    }
    CheckpointMerger.builder()
        .model(MODEL)
        .vae(autoencoder)
        .tokenizers(models)
        .textEncoder2(models.resolve("clip/t5.gguf"))
        .adapter(TestData.adapter2k())
        .cacheFolder(TestData.CACHE)
        .elementType(ElementType.F32)
        .output(folder.resolve("of parts"))
        .write();
    BufferedImage ofParts = draw(pipeline().model(folder.resolve("of parts")));
    assertThat(GoldenCase.largestDifference(expected, ofParts)).isLessThanOrEqualTo(1);
  }

  private static BufferedImage draw(FluxPipeline.Builder model) throws IOException {
    try (FluxPipeline pipeline = model.build()) {
      return pipeline
          .generate(GoldenCase.named("standard-guidance-1").request().build())
          .get(0)
          .toBufferedImage();
    }
  }

  @Test
  void whatShapesDoNotTellIsAskedFor() throws IOException {
    Path file = put(allInOne, folder.resolve("all.safetensors"));
    assertRefused(
        pipeline().model(file).tokenizers(MODEL), "32 groups", "config.json beside the file");
  }

  @Test
  void filesOfOtherModelsAreNamed() throws IOException {
    assertRefused(pipeline().model(TestData.adapter2k()), "found a LoRA", "--adapter");
    Path other =
        SeparateFiles.write(
            folder.resolve("other.safetensors"),
            Map.of("conv.weight", Tensor.ofFloats(new float[4], 2, 2)));
    assertRefused(pipeline().model(other), "1 tensors of none", "conv.weight");
    Path cut = folder.resolve("cut.safetensors");
    Files.write(cut, java.util.Arrays.copyOf(Files.readAllBytes(transformer), 100_000));
    assertThatThrownBy(() -> pipeline().model(cut).build().close())
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(cut.toString());
  }
}
