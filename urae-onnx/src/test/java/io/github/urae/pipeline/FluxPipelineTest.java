package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.TextPrompts;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.image.ImageFormat;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadataNode;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FluxPipelineTest {

  private static final String PROMPT = "a red circle on a blue background";

  private static FluxPipeline pipeline;

  @TempDir Path folder;

  @BeforeAll
  static void open() throws IOException {
    pipeline = new CheckpointCopy(TestData.checkpoint()).open();
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static GenerationRequest.Builder small() {
    return GenerationRequest.builder(PROMPT).size(64, 48).steps(2).seed(5);
  }

  private static BufferedImage draw(FluxPipeline from, GenerationRequest.Builder request) {
    return from.generate(request.build()).get(0).toBufferedImage();
  }

  private static void assertSame(BufferedImage expected, BufferedImage actual) {
    assertThat(GoldenCase.largestDifference(expected, actual)).isZero();
  }

  @Test
  void aPipelineSaysWhatItsModelIs() {
    assertThat(pipeline.model())
        .isEqualTo(
            new ModelInfo("flux-tiny", "FLUX.1", new LatentLayout(16, 8, 2), 128, true, 64, 28));
    assertThat(pipeline.model().latents().pixelsPerToken()).isEqualTo(16);
  }

  @Test
  void defaultsComeFromTheCheckpoint() {
    GeneratedImage image = pipeline.generate(GenerationRequest.builder(PROMPT).build()).get(0);
    GenerationRequest settled = image.request();
    assertThat(settled.width()).hasValue(128);
    assertThat(settled.height()).hasValue(128);
    assertThat(settled.steps()).hasValue(28);
    assertThat(settled.guidance()).hasValue(3.5);
    assertThat(settled.prompts())
        .isEqualTo(new TextPrompts(List.of(PROMPT), List.of(), OptionalInt.of(64)));
    assertThat(settled.seeds().values()).hasSize(1);
    assertThat(settled.profile())
        .isEqualTo(
            new Profile("standard", new TimestepShift.Dynamic(0.5, 1.15, 256, 4096), 1, false, 128)
                .settings());
    assertThat(image.record().model()).isEqualTo("flux-tiny");
    assertThat(pipeline.device()).isEqualTo(Device.cpu());
    assertThat(pipeline.timeInRuntime()).isPositive();
  }

  @Test
  void ultraResolutionBeginsAboveTheNativeArea() {
    assertThat(profileOf(small().size(128, 128))).isEqualTo("standard");
    assertThat(profileOf(small().size(256, 64))).isEqualTo("standard");
    assertThat(profileOf(small().size(128, 144))).isEqualTo("ultra");
    assertThat(profileOf(small().size(144, 144).profile(Profile.Choice.STANDARD)))
        .isEqualTo("standard");
    Profile.Settings numbers =
        Profile.Settings.AUTO
            .withNtkFactor(4)
            .withNativeTokens(100)
            .withShift(new TimestepShift.Static(5))
            .withProportionalAttention(false);
    GenerationRequest large = small().size(256, 256).steps(1).profile(numbers).build();
    assertThat(pipeline.generate(large).get(0).request().profile())
        .isEqualTo(new Profile("ultra", new TimestepShift.Static(5), 4, false, 100).settings());
  }

  private static String profileOf(GenerationRequest.Builder request) {
    return pipeline.generate(request.steps(1).build()).get(0).record().asText().get("profile");
  }

  @Test
  void theSameSeedDrawsTheSamePictureAndAnotherSeedAnother() {
    BufferedImage first = draw(pipeline, small());
    assertSame(first, draw(pipeline, small()));
    assertThat(GoldenCase.largestDifference(first, draw(pipeline, small().seed(6)))).isPositive();
  }

  @Test
  void oneSeedAnImageDrawsEachAsIfAlone() {
    List<GeneratedImage> both = pipeline.generate(small().imagesPerPrompt(2).seed(5, 9).build());
    assertSame(draw(pipeline, small()), both.get(0).toBufferedImage());
    assertSame(draw(pipeline, small().seed(9)), both.get(1).toBufferedImage());
    assertThat(both.get(1).request().seeds()).isEqualTo(Seeds.of(9));
  }

  @Test
  void latentsInAndOut() {
    LatentGrid grid = new LatentGrid(Flux1.LATENTS, 64, 48);
    float[] noise = grid.pack(new TorchGenerator(5).randn(grid.latentElements()));
    GenerationRequest.Builder request =
        GenerationRequest.builder(PROMPT)
            .size(64, 48)
            .steps(2)
            .latents(Tensor.ofFloats(noise, 1, 12, 64));
    GeneratedImage image = pipeline.generate(request.build()).get(0);
    assertSame(draw(pipeline, small()), image.toBufferedImage());
    assertThat(image.request().seeds()).isEqualTo(Seeds.RANDOM);
    Tensor latents = image.latents();
    assertThat(latents.shape().toArray()).containsExactly(1, 12, 64);
    assertThat(latents.toFloats())
        .isEqualTo(pipeline.generate(small().build()).get(0).latents().toFloats());
  }

  @Test
  void embeddingsIn() {
    PromptEmbeddings embeddings = pipeline.encode(List.of(PROMPT));
    GenerationRequest.Builder request =
        GenerationRequest.builder(embeddings).size(64, 48).steps(2).seed(5);
    assertSame(draw(pipeline, small()), draw(pipeline, request));
    assertThat(pipeline.generate(request.build()).get(0).request().prompts()).isEqualTo(embeddings);
    PromptEmbeddings wrong =
        new PromptEmbeddings(
            Tensor.ofFloats(new float[8], 1, 8), Tensor.ofFloats(new float[96], 1, 1, 96));
    assertThatThrownBy(() -> pipeline.generate(GenerationRequest.builder(wrong).build()))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("[prompts, 64]");
  }

  @Test
  void requestsThatCannotBeDrawnAreRefused() {
    assertRefused("width", "multiple of 16", r -> r.size(65, 64));
    assertRefused("width", "multiple of 16", r -> r.size(0, 64));
    assertRefused("steps", "steps", r -> r.steps(0));
    assertRefused("guidance", "guidance", r -> r.guidance(Double.NaN));
    assertRefused("guidance", "guidance", r -> r.guidance(Double.POSITIVE_INFINITY));
    assertRefused(
        "profile.ntk_factor",
        "NTK",
        r -> r.profile(Profile.Settings.AUTO.withNtkFactor(Double.NaN)));
    assertRefused(
        "profile.native_tokens",
        "native tokens",
        r -> r.profile(Profile.Settings.AUTO.withNativeTokens(0)));
    assertRefused("images_per_prompt", "images per prompt", r -> r.imagesPerPrompt(0));
    assertRefused("batch_size", "batch size", r -> r.batchSize(0));
    assertRefused("max_sequence_length", "1 to 64 tokens, found 65", r -> r.maxSequenceLength(65));
    assertRefused("max_sequence_length", "sequence length", r -> r.maxSequenceLength(0));
    assertRefused("seeds", "seeds", r -> r.seed(1, 2));
    assertRefused("second_prompts", "second prompts", r -> r.secondPrompts("a", "b"));
    assertRefused("size", "allow more with -Xmx", r -> r.size(1 << 16, 1 << 16));
    assertRefused("size", "allow more with -Xmx", r -> r.size(1 << 30, 1 << 30));
    assertRefused(
        "start.latents", "latents", r -> r.latents(Tensor.ofFloats(new float[64], 1, 1, 64)));
    assertRefused("start.latents", "latents", r -> r.latents(Tensor.ofFloats(new float[64], 64)));
    assertThatThrownBy(() -> GenerationRequest.builder(List.of()).build())
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("prompt");
    assertThatThrownBy(() -> pipeline.encode(List.of()))
        .isInstanceOf(InvalidRequestException.class);
  }

  private static void assertRefused(
      String parameter, String message, Consumer<GenerationRequest.Builder> change) {
    InvalidRequestException refused =
        assertThrows(
            InvalidRequestException.class,
            () -> {
              GenerationRequest.Builder request = small();
              change.accept(request);
              pipeline.generate(request.build());
            },
            message);
    assertThat(refused).hasMessageContaining(message);
    assertThat(refused.parameter()).hasValue(parameter);
  }

  @Test
  void stepsAreReportedInOrder() {
    List<DenoisingStep> steps = new ArrayList<>();
    pipeline.generate(
        small().imagesPerPrompt(2).steps(3).build(),
        RunOptions.builder().onStep(steps::add).build());
    assertThat(steps).extracting(DenoisingStep::step).containsExactly(1, 2, 3, 4, 5, 6);
    assertThat(steps).extracting(DenoisingStep::steps).containsOnly(6);
    assertThat(steps.get(0).sigma()).isEqualTo(1);
    assertThat(steps.get(2).nextSigma()).isZero();
  }

  @Test
  void aListenerMayCancel() {
    List<Integer> seen = new ArrayList<>();
    Consumer<DenoisingStep> listener =
        step -> {
          seen.add(step.step());
          if (step.step() == 2) {
            step.cancel();
          }
        };
    CancellationToken token = new CancellationToken();
    RunOptions options = RunOptions.builder().onStep(listener).cancellation(token).build();
    GenerationRequest request = small().steps(5).build();
    for (int i = 0; i < 2; i++) {
      seen.clear();
      assertThatThrownBy(() -> pipeline.generate(request, options))
          .isInstanceOf(GenerationCancelledException.class);
      assertThat(seen).containsExactly(1, 2);
    }
    assertThat(token.isCancelled()).isFalse();
    assertThat(pipeline.generate(request)).hasSize(1);
  }

  @Test
  void anotherThreadMayCancelInTheMiddleOfAStep() throws Exception {
    CancellationToken token = new CancellationToken();
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      List<Future<?>> cancelling = new ArrayList<>();
      Consumer<DenoisingStep> listener =
          step -> {
            if (step.step() == 1) {
              cancelling.add(other.submit(token::cancel));
            }
          };
      GenerationRequest request = small().size(512, 512).steps(1000).build();
      RunOptions options = RunOptions.builder().onStep(listener).cancellation(token).build();
      assertThatThrownBy(() -> pipeline.generate(request, options))
          .isInstanceOf(GenerationCancelledException.class);
      cancelling.get(0).get();
    } finally {
      other.shutdownNow();
    }
  }

  @Test
  void interruptionCancelsAndStays() {
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> pipeline.generate(small().build()))
        .isInstanceOf(GenerationCancelledException.class);
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void eightThreadsDrawWhatOneDraws() throws Exception {
    List<BufferedImage> alone = new ArrayList<>();
    for (int seed = 0; seed < 8; seed++) {
      alone.add(draw(pipeline, small().seed(seed)));
    }
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<BufferedImage>> tasks = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        int seed = i % 8;
        tasks.add(() -> draw(pipeline, small().seed(seed)));
      }
      List<Future<BufferedImage>> together = threads.invokeAll(tasks);
      for (int i = 0; i < together.size(); i++) {
        assertSame(alone.get(i % 8), together.get(i).get());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void twoPipelinesDoNotNoticeEachOther() throws Exception {
    CheckpointCopy other =
        CheckpointCopy.in(folder)
            .rewrite(
                "transformer",
                tensors -> {
                  Tensor bias = tensors.get("x_embedder.bias");
                  float[] changed = bias.toFloats();
                  for (int i = 0; i < changed.length; i++) {
                    changed[i] += 0.5f;
                  }
                  tensors.put("x_embedder.bias", Tensor.ofFloats(changed, changed.length));
                  return tensors;
                });
    BufferedImage alone = draw(pipeline, small());
    BufferedImage otherAlone;
    try (FluxPipeline second = other.open()) {
      otherAlone = draw(second, small());
    }
    assertThat(GoldenCase.largestDifference(alone, otherAlone)).isPositive();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try (FluxPipeline second = other.open()) {
      List<Future<BufferedImage>> first = new ArrayList<>();
      List<Future<BufferedImage>> others = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        first.add(threads.submit(() -> draw(pipeline, small())));
        others.add(threads.submit(() -> draw(second, small())));
      }
      for (int i = 0; i < 6; i++) {
        assertSame(alone, first.get(i).get());
        assertSame(otherAlone, others.get(i).get());
      }
    } finally {
      threads.shutdownNow();
      threads.awaitTermination(1, TimeUnit.MINUTES);
    }
  }

  @Test
  void closingTwiceIsHarmlessAndUseAfterwardsRefused() throws IOException {
    FluxPipeline closed = new CheckpointCopy(TestData.checkpoint()).open();
    closed.close();
    closed.close();
    assertThatThrownBy(() -> closed.generate(PROMPT, 64, 64))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("FluxPipeline is closed");
    assertThatThrownBy(() -> closed.encode(List.of("a"))).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(closed::device).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aGenerationInFlightIsCompletedAfterClose() throws IOException {
    FluxPipeline closed = new CheckpointCopy(TestData.checkpoint()).open();
    Consumer<DenoisingStep> closing =
        step -> {
          try {
            closed.close();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        };
    assertSame(
        draw(pipeline, small()),
        closed
            .generate(small().build(), RunOptions.builder().onStep(closing).build())
            .get(0)
            .toBufferedImage());
    assertThatThrownBy(() -> closed.generate(PROMPT, 64, 64))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void picturesCarryTheirSettings() throws IOException {
    String prompt = "ein roter Kreis, ü 日本 🙂\nsecond line";
    GeneratedImage image =
        pipeline
            .generate(
                GenerationRequest.builder(prompt)
                    .secondPrompts("another")
                    .size(64, 48)
                    .steps(1)
                    .seed(77)
                    .build())
            .get(0);
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    image.write(ImageFormat.PNG, png);
    ImageReader reader = ImageIO.getImageReadersByFormatName("png").next();
    reader.setInput(ImageIO.createImageInputStream(new ByteArrayInputStream(png.toByteArray())));
    IIOMetadataNode root =
        (IIOMetadataNode) reader.getImageMetadata(0).getAsTree("javax_imageio_png_1.0");
    Map<String, String> texts = new HashMap<>();
    var entries = root.getElementsByTagName("iTXtEntry");
    for (int i = 0; i < entries.getLength(); i++) {
      IIOMetadataNode entry = (IIOMetadataNode) entries.item(i);
      texts.put(entry.getAttribute("keyword"), entry.getAttribute("text"));
    }
    assertThat(texts)
        .isEqualTo(image.record().asText())
        .containsEntry("prompt", prompt)
        .containsEntry("prompt_2", "another")
        .containsEntry("seed", "77")
        .containsEntry("steps", "1")
        .containsEntry("width", "64")
        .containsEntry("model", "flux-tiny");
    assertSame(image.toBufferedImage(), reader.read(0));
  }

  @Test
  void savingReplacesAFileAsAWholeOrNotAtAll() throws IOException {
    GeneratedImage image = pipeline.generate(small().build()).get(0);
    Path file = folder.resolve("picture.png");
    Files.writeString(file, "before");
    image.save(file);
    assertSame(image.toBufferedImage(), ImageIO.read(file.toFile()));
    assertThatThrownBy(() -> image.save(folder.resolve("missing/picture.png")))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("missing");
    Path occupied = Files.createDirectories(folder.resolve("occupied.png/inside"));
    assertThatThrownBy(() -> image.save(occupied.getParent())).isInstanceOf(IOException.class);
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left.map(p -> p.getFileName().toString()))
          .containsExactlyInAnyOrder("picture.png", "occupied.png");
    }
  }

  @Test
  void float32CheckpointsAreReadWithoutACopy() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    for (String network : List.of("text_encoder", "text_encoder_2", "transformer", "vae")) {
      copy.convert(network, ElementType.F32);
    }
    Path cache = folder.resolve("cache");
    try (FluxPipeline open =
        FluxPipeline.builder()
            .model(copy.folder())
            .device(Device.cpu())
            .cacheFolder(cache)
            .build()) {
      assertSame(draw(pipeline, small()), draw(open, small()));
    }
    assertThat(cache.resolve("native"))
        .satisfiesAnyOf(
            path -> assertThat(path).doesNotExist(), path -> assertThat(path).isDirectory());
    if (Files.exists(cache)) {
      try (Stream<Path> files = Files.walk(cache)) {
        assertThat(files.filter(f -> f.toString().endsWith(".safetensors"))).isEmpty();
      }
    }
  }

  @Test
  void otherElementTypesAreConverted() throws IOException {
    CheckpointCopy copy =
        CheckpointCopy.in(folder)
            .convert("text_encoder", ElementType.F64)
            .convert("transformer", ElementType.F16);
    try (FluxPipeline open = copy.open()) {
      // bfloat16 to float64 is exact; bfloat16 to float16 loses the smallest weights' last bits.
      PromptEmbeddings expected = pipeline.encode(List.of(PROMPT));
      PromptEmbeddings actual = open.encode(List.of(PROMPT));
      assertThat(actual.pooled().toFloats()).isEqualTo(expected.pooled().toFloats());
      assertThat(GoldenCase.largestDifference(draw(pipeline, small()), draw(open, small())))
          .isLessThanOrEqualTo(1);
    }
  }

  @Test
  void aCheckpointWithoutGuidanceIsDrawnInFourSteps() throws IOException {
    CheckpointCopy schnell =
        CheckpointCopy.in(folder)
            .replace(
                "transformer/config.json",
                "\"guidance_embeds\": true",
                "\"guidance_embeds\": false")
            .rewrite(
                "transformer",
                tensors -> {
                  tensors.keySet().removeIf(name -> name.contains("guidance_embedder"));
                  return tensors;
                });
    try (FluxPipeline open = schnell.open()) {
      GenerationRequest.Builder request = GenerationRequest.builder(PROMPT).size(64, 64).seed(1);
      GeneratedImage image = open.generate(request.build()).get(0);
      assertThat(image.request().steps()).hasValue(4);
      assertThat(image.request().guidance()).isEmpty();
      assertSame(image.toBufferedImage(), draw(open, request.guidance(9)));
    }
  }

  @Test
  void prepackingAndThreadsDoNotChangeThePicture() throws IOException {
    try (FluxPipeline open =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .prepacking(true)
            .threads(1)
            .build()) {
      assertThat(GoldenCase.largestDifference(draw(pipeline, small()), draw(open, small())))
          .isLessThanOrEqualTo(1);
    }
  }
}
