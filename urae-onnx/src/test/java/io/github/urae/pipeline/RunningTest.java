package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.GenerationCancelledException;
import io.github.urae.InvalidRequestException;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.StepCallback;
import io.github.urae.flux.TruncatedPrompt;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.model.Component;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a call is told of, and how it is run: stages, steps, pictures, turns, other threads. */
@Timeout(300)
class RunningTest {

  private static FluxPipeline pipeline;

  @BeforeAll
  static void open() throws IOException {
    pipeline = builder().maxConcurrent(1).build();
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static FluxPipeline.Builder builder() {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE);
  }

  private static GenerationRequest.Builder small() {
    return GenerationRequest.builder("a red circle").size(64, 64).steps(2).seed(3);
  }

  private static String describe(StageProgress progress) {
    return progress.stage().id()
        + progress.component().map(component -> " " + component).orElse("")
        + " "
        + progress.done()
        + "/"
        + progress.total();
  }

  /** With a cache of its own, which no test before has filled. */
  @Test
  void everyStageIsTold(@TempDir Path cache) throws IOException {
    List<StageProgress> told = new ArrayList<>();
    try (FluxPipeline own = builder().cacheFolder(cache).build()) {
      own.generate(
          small()
              .size(256, 256)
              .imagesPerPrompt(2)
              .coarseToFine(CoarseToFine.ofStrength(0.5))
              .vaeTiling(VaeTiling.ON)
              .build(),
          RunOptions.builder().listener(told::add).build());
    }
    List<String> expected = new ArrayList<>();
    expected.addAll(List.of("encoding_text text_encoder 0/1", "encoding_text text_encoder 1/1"));
    expected.addAll(
        List.of("encoding_text text_encoder_2 0/1", "encoding_text text_encoder_2 1/1"));
    expected.addAll(units("denoising transformer", 0, 4, 6));
    expected.addAll(units("decoding vae_decoder", 0, 2, 2));
    expected.addAll(
        List.of("converting vae_encoder 0/1534400", "converting vae_encoder 1534400/1534400"));
    expected.addAll(List.of("loading vae_encoder 0/1", "loading vae_encoder 1/1"));
    expected.addAll(units("encoding_image vae_encoder", 0, 18, 18));
    expected.addAll(units("denoising transformer", 4, 6, 6));
    expected.addAll(units("decoding vae_decoder", 0, 18, 18));
    assertThat(told)
        // On a slow machine conversion is told of in between as well, a few times a second.
        .filteredOn(p -> p.stage() != Stage.CONVERTING || p.done() == 0 || p.done() == p.total())
        .extracting(RunningTest::describe)
        .containsExactlyElementsOf(expected);
    assertThat(told.get(told.size() - 1).remaining().orElseThrow()).isZero();
    StageProgress lastStep =
        told.stream()
            .filter(p -> describe(p).startsWith("denoising transformer 6/6"))
            .findFirst()
            .orElseThrow();
    assertThat(lastStep.remaining().orElseThrow()).as("decoding is ahead").isPositive();
  }

  private static List<String> units(String stage, int first, int last, int total) {
    List<String> units = new ArrayList<>();
    for (int done = first; done <= last; done++) {
      units.add(stage + " " + done + "/" + total);
    }
    return units;
  }

  @Test
  void loadingIsToldWhereItHappens() throws IOException {
    List<String> told = new ArrayList<>();
    try (FluxPipeline one =
        builder()
            .offload(Offload.ONE_AT_A_TIME)
            .listener(progress -> told.add(describe(progress)))
            .build()) {
      assertThat(told).isEmpty();
      one.generate(
          small().build(),
          RunOptions.builder().listener(progress -> told.add(describe(progress))).build());
    }
    assertThat(told).containsSubsequence("loading transformer 1/1", "denoising transformer 0/2");
    told.clear();
    builder().listener(progress -> told.add(describe(progress))).build().close();
    assertThat(told)
        .containsExactly(
            "loading text_encoder 0/1",
            "loading text_encoder 1/1",
            "loading text_encoder_2 0/1",
            "loading text_encoder_2 1/1",
            "loading transformer 0/1",
            "loading transformer 1/1",
            "loading vae_decoder 0/1",
            "loading vae_decoder 1/1");
  }

  @Test
  void picturesAreHandedOverAsTheyAreDecoded() {
    List<String> order = new ArrayList<>();
    List<GeneratedImage> handed = new ArrayList<>();
    List<GeneratedImage> returned =
        pipeline.generate(
            small().imagesPerPrompt(2).build(),
            RunOptions.builder()
                .onImage(
                    (image, index) -> {
                      assertThat(index).isEqualTo(handed.size());
                      handed.add(image);
                      order.add("image " + index);
                    })
                .listener(
                    progress -> {
                      if (progress.stage() == Stage.DECODING) {
                        order.add(progress.done() + " decoded");
                      }
                    })
                .build());
    assertThat(returned).isEqualTo(handed);
    assertThat(order).containsExactly("0 decoded", "1 decoded", "image 0", "2 decoded", "image 1");
  }

  private static float[] latentsWith(StepCallback callback) {
    return pipeline
        .generate(
            small().steps(3).imagesPerPrompt(2).batchSize(2).build(),
            RunOptions.builder().onStepEnd(callback).build())
        .get(1)
        .latents()
        .toFloats();
  }

  @Test
  void aCallbackMayChangeTheLatents() {
    List<String> steps = new ArrayList<>();
    float[] plain =
        pipeline
            .generate(small().steps(3).imagesPerPrompt(2).batchSize(2).build())
            .get(1)
            .latents()
            .toFloats();
    assertThat(
            latentsWith(
                (step, latents) -> {
                  steps.add(step.index() + " " + latents.shape() + " " + step.firstImage());
                  return latents;
                }))
        .isEqualTo(plain);
    assertThat(steps).containsExactly("0 [2, 16, 64] 0", "1 [2, 16, 64] 0", "2 [2, 16, 64] 0");
    assertThat(latentsWith((step, latents) -> copy(latents, 1))).isEqualTo(plain);
    assertThat(latentsWith((step, latents) -> copy(latents, step.index() == 1 ? 0.5f : 1)))
        .isNotEqualTo(plain);
    float[] zero = latentsWith((step, latents) -> step.nextSigma() == 0 ? zero(latents) : latents);
    assertThat(zero).containsOnly(0);
    assertThatThrownBy(() -> latentsWith((step, latents) -> Tensor.ofFloats(new float[64], 1, 64)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("onStepEnd: expected float32 [2, 16, 64], found F32 [1, 64]");
  }

  @Test
  void whoSeesStepsSeesWhatTheCallbackMade() {
    List<DenoisingStep> seen = new ArrayList<>();
    pipeline.generate(
        small().build(),
        RunOptions.builder().onStepEnd((step, latents) -> zero(latents)).onStep(seen::add).build());
    assertThat(seen).hasSize(2);
    assertThat(seen.get(0).latents().toFloats()).containsOnly(0);
  }

  private static Tensor zero(Tensor latents) {
    long[] dimensions = latents.shape().toArray();
    return Tensor.ofFloats(new float[(int) latents.shape().elementCount()], dimensions);
  }

  private static Tensor copy(Tensor latents, float factor) {
    float[] values = latents.toFloats();
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return Tensor.ofFloats(values, latents.shape().toArray());
  }

  @Test
  void promptsThatAreCutAreTold() {
    String words = "eins zwei drei vier ".repeat(20);
    String prompt = words + "the very last";
    List<TruncatedPrompt> told = new ArrayList<>();
    RunOptions options = RunOptions.builder().onTruncatedPrompt(told::add).build();
    GenerationRequest request =
        GenerationRequest.builder(List.of(prompt, prompt))
            .size(64, 64)
            .steps(1)
            .maxSequenceLength(16)
            .build();
    pipeline.generate(request, options);
    assertThat(told)
        .extracting(TruncatedPrompt::encoder)
        .containsExactly(Component.TEXT_ENCODER, Component.TEXT_ENCODER_2);
    assertThat(told).extracting(TruncatedPrompt::maxTokens).containsExactly(77, 16);
    for (TruncatedPrompt cut : told) {
      assertThat(cut.prompt()).isEqualTo(prompt).endsWith(cut.lost());
      assertThat(cut.lost()).endsWith("the very last");
    }
    assertThat(told.get(1).lost()).hasSizeGreaterThan(told.get(0).lost().length());
    told.clear();
    pipeline.generate(small().build(), options);
    assertThat(told).isEmpty();
    pipeline.encode(List.of(prompt), 64, options);
    assertThat(told).hasSize(2);
  }

  @Test
  void generationsWaitForTheirTurn() throws Exception {
    CountDownLatch inStep = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CompletableFuture<List<GeneratedImage>> first =
        pipeline.generateAsync(small().build(), stopping(inStep, goOn));
    assertThat(inStep.await(60, TimeUnit.SECONDS)).isTrue();
    CountDownLatch waits = new CountDownLatch(1);
    List<String> told = new ArrayList<>();
    CompletableFuture<List<GeneratedImage>> second =
        pipeline.generateAsync(
            small().build(),
            RunOptions.builder()
                .listener(
                    progress -> {
                      told.add(describe(progress));
                      waits.countDown();
                    })
                .build());
    assertThat(waits.await(60, TimeUnit.SECONDS)).isTrue();
    CountDownLatch thirdIsGone = new CountDownLatch(1);
    CompletableFuture<List<GeneratedImage>> third =
        pipeline.generateAsync(small().build(), telling(thirdIsGone).build());
    assertThatThrownBy(() -> pipeline.generate(small().maxSequenceLength(65).build()))
        .as("what cannot run need not wait")
        .isInstanceOf(InvalidRequestException.class);
    assertThat(third.cancel(true)).isTrue();
    goOn.countDown();
    float[] latents = second.get().get(0).latents().toFloats();
    assertThat(latents).isEqualTo(first.get().get(0).latents().toFloats());
    assertThat(told).startsWith("waiting 0/1", "waiting 1/1");
    // Another test's generation would wait for it.
    assertThat(thirdIsGone.await(60, TimeUnit.SECONDS)).isTrue();
  }

  /** Runs on a thread of its own, and tells when that is done, whatever became of the future. */
  private static RunOptions.Builder telling(CountDownLatch ended) {
    return RunOptions.builder()
        .executor(
            task ->
                new Thread(
                        () -> {
                          task.run();
                          ended.countDown();
                        })
                    .start());
  }

  /** Stops in every step, tells that it is there, and waits until it may go on. */
  private static RunOptions stopping(CountDownLatch inStep, CountDownLatch goOn) {
    return RunOptions.builder()
        .onStep(
            step -> {
              inStep.countDown();
              awaitQuietly(goOn);
            })
        .build();
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void closingEndsThoseWhoWait() throws Exception {
    FluxPipeline closing = builder().maxConcurrent(1).build();
    CountDownLatch inStep = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    CompletableFuture<List<GeneratedImage>> running =
        closing.generateAsync(small().build(), stopping(inStep, goOn));
    assertThat(inStep.await(60, TimeUnit.SECONDS)).isTrue();
    CountDownLatch waits = new CountDownLatch(1);
    CompletableFuture<List<GeneratedImage>> waiting =
        closing.generateAsync(
            small().build(), RunOptions.builder().listener(progress -> waits.countDown()).build());
    assertThat(waits.await(60, TimeUnit.SECONDS)).isTrue();
    closing.close();
    assertThatThrownBy(waiting::get)
        .hasCauseInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed while this generation waited for its turn");
    goOn.countDown();
    assertThat(running.get()).hasSize(1);
  }

  @Test
  void cancellingTheFutureCancelsTheGeneration() throws Exception {
    CountDownLatch inStep = new CountDownLatch(1);
    CountDownLatch ended = new CountDownLatch(1);
    CompletableFuture<List<GeneratedImage>> endless =
        pipeline.generateAsync(
            small().size(256, 256).steps(1000).build(),
            telling(ended).onStep(step -> inStep.countDown()).build());
    assertThat(inStep.await(60, TimeUnit.SECONDS)).isTrue();
    endless.cancel(false);
    assertThat(ended.await(60, TimeUnit.SECONDS)).isTrue();
    assertThatThrownBy(endless::get).isInstanceOf(CancellationException.class);
  }

  @Test
  void aFailureEndsTheFuture() {
    CompletableFuture<List<GeneratedImage>> cancelled =
        pipeline.generateAsync(
            small().build(), RunOptions.builder().onStep(DenoisingStep::cancel).build());
    assertThatThrownBy(cancelled::get)
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(GenerationCancelledException.class);
  }

  @Test
  void theModelIsDescribed() {
    ImagePipeline any = pipeline;
    assertThat(any.model().nativeSize()).isEqualTo(128);
    assertThat(any.model().maxTextTokens()).isEqualTo(64);
  }
}
