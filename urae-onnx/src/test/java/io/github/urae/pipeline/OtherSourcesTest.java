package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.CheckpointMerger;
import io.github.urae.adapter.internal.match.AdapterOptions;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.ModelLocation;
import io.github.urae.onnx.internal.generation.Conditioning;
import io.github.urae.onnx.internal.generation.Denoiser;
import io.github.urae.onnx.internal.generation.TextEncoders;
import io.github.urae.onnx.internal.generation.WorkRates;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.image.ImageDecoder;
import io.github.urae.onnx.internal.model.AdaptableWeights;
import io.github.urae.onnx.internal.model.ModelSource;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.model.PipelineSettings;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.source.OriginalNames;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.OptimumExport;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The same model from an ONNX export and from a single file, with all adapters, to the tolerances
 * of the checkpoint.
 */
class OtherSourcesTest {

  private static final double ONE_STAGE = 1e-4;
  private static final double SEVERAL_STEPS = 1e-3;

  enum Source {
    EXPORT,
    SINGLE_FILE
  }

  @TempDir static Path folder;

  private static final Map<Source, Networks> NETWORKS = new EnumMap<>(Source.class);

  @BeforeAll
  static void open() throws IOException {
    Path export = OptimumExport.unpackInto(folder);
    Path single = folder.resolve("flux.safetensors");
    OriginalNames.write(TestData.checkpoint().resolve("transformer"), single);
    NETWORKS.put(Source.EXPORT, open(ModelSource.at(export)));
    NETWORKS.put(
        Source.SINGLE_FILE,
        open(
            ModelSource.at(
                ModelLocation.of(TestData.checkpoint()).with(Component.TRANSFORMER, single),
                Checkpoint.FAMILIES)));
  }

  private static Networks open(ModelSource source) throws IOException {
    PipelineSettings settings =
        new PipelineSettings(
            new SessionSettings(Device.cpu(), OptionalInt.empty(), false),
            Arithmetic.FLOAT32,
            Offload.ALL,
            new WeightCache(TestData.CACHE, WeightCache.DEFAULT_MAX_BYTES),
            OptionalLong.empty(),
            AdapterOptions.STRICT);
    return Networks.open(
        source, settings, List.of(), ProgressListener.NONE, new CancellationToken());
  }

  @AfterAll
  static void close() throws IOException {
    for (Networks networks : NETWORKS.values()) {
      networks.close();
    }
  }

  @Test
  void aSingleFileIsMergedAsTheCheckpointIs(@TempDir Path parent) throws IOException {
    CheckpointMerger.Builder merge =
        CheckpointMerger.builder()
            .model(TestData.checkpoint())
            .adapter(TestData.adapter2k())
            .cacheFolder(TestData.CACHE);
    merge.output(parent.resolve("own")).write();
    Path single = folder.resolve("flux.safetensors");
    merge.transformer(single).output(parent.resolve("single")).write();
    try (TensorSource expected = Safetensors.open(parent.resolve("own/transformer"));
        TensorSource found = Safetensors.open(parent.resolve("single/transformer"))) {
      assertThat(found.tensors().keySet())
          .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
      for (String name : expected.tensors().keySet()) {
        assertThat(found.tensor(name).toFloats())
            .as(name)
            .isEqualTo(expected.tensor(name).toFloats());
      }
    }
  }

  @Test
  void aSingleFileMayLieInTheFolderOfTheTransformer(@TempDir Path parent) throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(parent);
    try (Stream<Path> files = Files.list(copy.file("transformer"))) {
      for (Path file : files.filter(f -> !f.endsWith("config.json")).toList()) {
        Files.delete(file);
      }
    }
    OriginalNames.write(
        TestData.checkpoint().resolve("transformer"),
        copy.file("transformer/flux1-dev.safetensors"));
    GoldenCase golden = GoldenCase.named("standard-guidance-1");
    try (FluxPipeline pipeline =
        FluxPipeline.builder()
            .model(copy.folder())
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .build()) {
      BufferedImage drawn = pipeline.generate(golden.request().build()).get(0).toBufferedImage();
      assertThat(GoldenCase.largestDifference(golden.pictures().get(0), drawn))
          .isLessThanOrEqualTo(1);
    }
    try (AdaptableWeights weights = AdaptableWeights.open(copy.folder())) {
      assertThat(weights.byNetwork().get(Component.TRANSFORMER).tensors())
          .containsKey("single_transformer_blocks.3.attn.to_v.weight");
    }
  }

  @ParameterizedTest
  @EnumSource(Source.class)
  void textEncodersAndAutoencoder(Source source) throws IOException {
    Networks networks = NETWORKS.get(source);
    List<String> prompt = GoldenCase.named("standard-128").prompts();
    try (SafetensorsFile golden =
            SafetensorsFile.open(TestData.path("golden/cases/standard-128.safetensors"));
        SafetensorsFile vae = SafetensorsFile.open(TestData.path("golden/vae.safetensors"));
        NetworkUse encoder = networks.use(Component.VAE_ENCODER);
        NetworkUse decoder = networks.use(Component.VAE_DECODER)) {
      PromptEmbeddings encoded =
          TextEncoders.of(networks)
              .encode(
                  prompt,
                  OptionalInt.of(64),
                  RunOptions.NONE,
                  new CancellationToken(),
                  new WorkRates());
      TestData.assertClose(
          source + " pooled",
          golden.tensor("pooled").toFloats(),
          encoded.pooled().toFloats(),
          ONE_STAGE);
      TestData.assertClose(
          source + " sequence",
          golden.tensor("sequence").toFloats(),
          encoded.sequence().toFloats(),
          ONE_STAGE);
      float[] decoded =
          decoder.run(Map.of("latent_sample", vae.tensor("latents")), new CancellationToken());
      TestData.assertClose(source + " VAE", vae.tensor("decoded").toFloats(), decoded, ONE_STAGE);
      float[] mean =
          Arrays.copyOf(
              encoder.run(Map.of("sample", vae.tensor("pixels")), new CancellationToken()),
              16 * 12 * 20);
      TestData.assertClose(source + " VAE encoder", vae.tensor("mean").toFloats(), mean, ONE_STAGE);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "EXPORT, standard-128",
    "EXPORT, standard-wide",
    "EXPORT, standard-guidance-1",
    "EXPORT, standard-batch",
    "EXPORT, standard-prompt-2",
    "EXPORT, ultra-256",
    "EXPORT, ultra-256-base-4608",
    "EXPORT, ultra-512",
    "EXPORT, ultra-512-conversion",
    "EXPORT, ultra-512-no-adapter",
    "SINGLE_FILE, standard-128",
    "SINGLE_FILE, standard-wide",
    "SINGLE_FILE, standard-guidance-1",
    "SINGLE_FILE, standard-batch",
    "SINGLE_FILE, standard-prompt-2",
    "SINGLE_FILE, ultra-256",
    "SINGLE_FILE, ultra-256-base-4608",
    "SINGLE_FILE, ultra-512",
    "SINGLE_FILE, ultra-512-conversion",
    "SINGLE_FILE, ultra-512-no-adapter"
  })
  void casesFromNoiseToPicture(Source source, String name) throws IOException {
    GoldenCase golden = GoldenCase.named(name);
    GenerationRequest request = golden.request().build();
    LatentGrid grid = golden.grid();
    try (SafetensorsFile recorded =
            SafetensorsFile.open(TestData.path("golden/cases/" + name + ".safetensors"));
        Networks networks =
            NETWORKS
                .get(source)
                .with(golden.adapters(), ProgressListener.NONE, new CancellationToken());
        NetworkUse transformer = networks.use(Component.TRANSFORMER);
        NetworkUse vae = networks.use(Component.VAE_DECODER)) {
      PromptEmbeddings embeddings =
          new PromptEmbeddings(copy(recorded.tensor("pooled")), copy(recorded.tensor("sequence")));
      Denoiser denoiser = golden.denoiser(networks, transformer);
      int images = embeddings.count();
      float[] noise =
          grid.pack(
              new TorchGenerator(request.seeds().values().get(0))
                  .randn(images * grid.latentElements()));
      TestData.assertClose(
          source + " " + name + " first velocity",
          recorded.tensor("first_velocity").toFloats(),
          denoiser.velocity(0, noise, Conditioning.of(embeddings), new CancellationToken()),
          ONE_STAGE);
      float[] latents =
          denoiser.denoise(
              noise,
              Conditioning.of(embeddings),
              new CancellationToken(),
              (step, current, velocity) -> compareLatents(source, golden, recorded, step, current));
      ImageDecoder decoder = new ImageDecoder(vae, networks.checkpoint().vae());
      List<BufferedImage> pictures = golden.pictures();
      for (int i = 0; i < images; i++) {
        int elements = grid.latentElements();
        float[] own = Arrays.copyOfRange(latents, i * elements, (i + 1) * elements);
        int[] pixels = decoder.decode(grid, own, VaeTiling.AUTO, new CancellationToken());
        BufferedImage drawn =
            new BufferedImage(grid.width(), grid.height(), BufferedImage.TYPE_INT_RGB);
        drawn.setRGB(0, 0, grid.width(), grid.height(), pixels, 0, grid.width());
        assertThat(GoldenCase.largestDifference(pictures.get(i), drawn))
            .as("%s, %s, picture %d", source, name, i)
            .isLessThanOrEqualTo(golden.ultra() ? 2 : 1);
      }
    }
  }

  private static float[] compareLatents(
      Source source, GoldenCase golden, SafetensorsFile recorded, int step, float[] latents) {
    if (!golden.recordedSteps().contains(step)) {
      return latents;
    }
    try {
      TestData.assertClose(
          source + " " + golden.name() + " latents after step " + step,
          recorded.tensor("latents_" + step).toFloats(),
          latents,
          step == 0 ? ONE_STAGE : SEVERAL_STEPS);
      return latents;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Tensor copy(Tensor tensor) {
    return Tensor.ofFloats(tensor.toFloats(), tensor.shape().toArray());
  }
}
