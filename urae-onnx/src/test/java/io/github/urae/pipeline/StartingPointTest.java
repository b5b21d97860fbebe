package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.device.Device;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.LatentPreview;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pictures that start from pictures, and what they are guided away from. */
class StartingPointTest {

  private static final String PROMPT = "a red circle on a blue background";

  private static FluxPipeline pipeline;

  @BeforeAll
  static void open() throws IOException {
    pipeline =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .device(Device.cpu())
            .cacheFolder(TestData.CACHE)
            .build();
  }

  @AfterAll
  static void close() throws IOException {
    pipeline.close();
  }

  private static GenerationRequest.Builder small() {
    return GenerationRequest.builder(PROMPT).size(64, 48).steps(4).seed(5);
  }

  private static GeneratedImage draw(GenerationRequest.Builder request) {
    return draw(request, step -> {});
  }

  private static GeneratedImage draw(
      GenerationRequest.Builder request, Consumer<DenoisingStep> listener) {
    RunOptions options = RunOptions.builder().onStep(listener).build();
    return pipeline.generate(request.build(), options).get(0);
  }

  @Test
  void coarseToFineIsADraftEnlargedAndDrawnOver() {
    GeneratedImage draft = draw(small().size(160, 96).steps(3).profile(Profile.Choice.STANDARD));
    GeneratedImage byHand =
        draw(small().size(320, 192).initialImage(draft.toBufferedImage(), 0.5).steps(4));
    GeneratedImage together =
        draw(
            small().size(320, 192).coarseToFine(new CoarseToFine(0.5, OptionalInt.of(3))).steps(4));
    assertThat(byHand.toRgbImage()).isEqualTo(together.toRgbImage());
    assertThat(together.request().profile().choice()).isEqualTo(Profile.Choice.ULTRA);
    assertThat(together.record().passes())
        .containsExactly(
            new GenerationRecord.Pass(160, 96, 3), new GenerationRecord.Pass(320, 192, 2));
    assertThat(together.record().asText())
        .containsEntry("start", "draft of 160x96 in 3 steps")
        .containsEntry("strength", "0.5")
        .containsEntry("steps_run", "2");
  }

  @Test
  void draftsKeepTheProportions() {
    assertThat(new LatentGrid(Flux1.LATENTS, 4096, 4096).draft(1024))
        .isEqualTo(new LatentGrid(Flux1.LATENTS, 1024, 1024));
    assertThat(new LatentGrid(Flux1.LATENTS, 4096, 2304).draft(1024))
        .isEqualTo(new LatentGrid(Flux1.LATENTS, 1360, 768));
    assertThat(new LatentGrid(Flux1.LATENTS, 8192, 16).draft(128))
        .isEqualTo(new LatentGrid(Flux1.LATENTS, 2896, 16));
  }

  @Test
  void severalPicturesOfOneSeedAndOfSeveral() {
    RgbImage start = draw(small().seed(1)).toRgbImage();
    GenerationRequest.Builder two = small().imagesPerPrompt(2).initialImage(start, 0.5);
    List<GeneratedImage> oneSeed = pipeline.generate(two.build());
    assertThat(oneSeed.get(0).toRgbImage())
        .isEqualTo(draw(small().initialImage(start, 0.5)).toRgbImage())
        .isNotEqualTo(oneSeed.get(1).toRgbImage());
    List<GeneratedImage> twoSeeds = pipeline.generate(two.seed(5, 8).build());
    assertThat(twoSeeds.get(1).toRgbImage())
        .isEqualTo(draw(small().seed(8).initialImage(start, 0.5)).toRgbImage());
    GenerationRequest.Builder drafts =
        small().size(256, 64).steps(2).imagesPerPrompt(2).coarseToFine(CoarseToFine.ofStrength(1));
    assertThatThrownBy(() -> pipeline.generate(drafts.build()))
        .hasMessageContaining("above the native area");
    List<GeneratedImage> fine = pipeline.generate(drafts.size(256, 128).seed(5, 8).build());
    assertThat(fine.get(1).toRgbImage())
        .isEqualTo(draw(drafts.imagesPerPrompt(1).seed(8)).toRgbImage());
  }

  @Test
  void strengthTellsHowMuchIsLeft() {
    RgbImage start = draw(small().seed(1)).toRgbImage();
    assertThat(stepsRun(small().initialImage(start, 1))).isEqualTo(4);
    assertThat(stepsRun(small().initialImage(start, 0.01))).isEqualTo(1);
    for (double strength : new double[] {0, -1, 1.01, Double.NaN}) {
      assertRefused("strength: expected", r -> r.initialImage(start, strength));
      assertRefused("strength: expected", r -> r.coarseToFine(CoarseToFine.ofStrength(strength)));
    }
    assertRefused("leaves none of 4 steps", r -> r.initialImage(start, 1e-17));
  }

  private static int stepsRun(GenerationRequest.Builder request) {
    return draw(request).record().passes().get(0).steps();
  }

  @Test
  void theLastStartingPointCounts() {
    RgbImage start = draw(small()).toRgbImage();
    Tensor latents = Tensor.ofFloats(new float[12 * 64], 1, 12, 64);
    assertThat(small().latents(latents).initialImage(start, 0.5).build())
        .isEqualTo(small().initialImage(start, 0.5).build());
    assertThat(small().initialImage(start, 0.5).start(Optional.empty()).build())
        .isEqualTo(small().build());
    assertRefused(
        "steps of the draft", r -> r.coarseToFine(new CoarseToFine(0.5, OptionalInt.of(0))));
  }

  private static void assertRefused(String message, Consumer<GenerationRequest.Builder> change) {
    assertThatThrownBy(
            () -> {
              GenerationRequest.Builder request = small();
              change.accept(request);
              pipeline.generate(request.build());
            })
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining(message);
  }

  @Test
  void trueGuidanceActsAboveOneAlone() {
    RgbImage plain = draw(small()).toRgbImage();
    assertThat(draw(small().trueGuidance("a star", 1)).toRgbImage()).isEqualTo(plain);
    GeneratedImage guided = draw(small().trueGuidance("a star", 3));
    assertThat(guided.toRgbImage()).isNotEqualTo(plain);
    assertThat(guided.record().asText())
        .containsEntry("negative_prompt", "a star")
        .containsEntry("true_cfg", "3.0");
    GenerationRequest.Builder both =
        GenerationRequest.builder(List.of(PROMPT, PROMPT)).size(64, 48).steps(4).seed(5, 5);
    List<GeneratedImage> pictures =
        pipeline.generate(
            both.trueGuidance(new TrueGuidance(List.of("a star", "a ring"), 3))
                .batchSize(2)
                .build());
    assertThat(
            GoldenCase.largestDifference(
                guided.toBufferedImage(), pictures.get(0).toBufferedImage()))
        .isLessThanOrEqualTo(1);
    assertThat(pictures.get(1).toRgbImage()).isNotEqualTo(pictures.get(0).toRgbImage());
    assertThat(pictures.get(1).request().trueGuidance().orElseThrow().negativePrompts())
        .containsExactly("a ring");
    assertRefused(
        "negative prompts: expected one",
        r -> r.trueGuidance(new TrueGuidance(List.of("a", "b"), 2)));
    assertRefused("true guidance", r -> r.trueGuidance("a", Double.NaN));
    assertRefused("negative prompt", r -> r.trueGuidance(new TrueGuidance(List.of(), 2)));
  }

  @Test
  void progressCoversBothPasses() {
    List<DenoisingStep> steps = new ArrayList<>();
    Consumer<DenoisingStep> listener =
        step -> {
          steps.add(step);
          assertThat(step.previews()).hasSize(1);
          assertThat(step.previews().get(0).width()).isEqualTo(step.step() <= 2 ? 16 : 32);
        };
    draw(small().size(256, 256).coarseToFine(new CoarseToFine(0.5, OptionalInt.of(2))), listener);
    assertThat(steps).extracting(DenoisingStep::step).containsExactly(1, 2, 3, 4);
    assertThat(steps).extracting(DenoisingStep::steps).containsOnly(4);
    assertThat(steps).extracting(DenoisingStep::ofDraft).containsExactly(true, true, false, false);
    assertThat(steps.get(2).sigma()).isLessThan(1);
    assertThat(steps.get(3).nextSigma()).isZero();
  }

  @Test
  void theLastPreviewIsThePictureInSmall() {
    List<RgbImage> previews = new ArrayList<>();
    Consumer<DenoisingStep> listener =
        step -> {
          previews.add(step.previews().get(0));
        };
    RgbImage picture = draw(small().size(128, 128).steps(8).seed(0), listener).toRgbImage();
    RgbImage small = picture.resized(16, 16);
    double last = meanDifference(small, previews.get(7));
    System.out.printf("preview: %.1f of 255 in the mean%n", last);
    assertThat(last).isLessThan(16);
    assertThat(meanDifference(small, previews.get(0))).isGreaterThan(last);
  }

  private static double meanDifference(RgbImage a, RgbImage b) {
    double sum = 0;
    for (int i = 0; i < a.width() * a.height(); i++) {
      for (int shift = 0; shift < 24; shift += 8) {
        int x = i % a.width();
        int y = i / a.width();
        sum += Math.abs((a.pixel(x, y) >> shift & 0xFF) - (b.pixel(x, y) >> shift & 0xFF));
      }
    }
    return sum / (3.0 * a.width() * a.height());
  }

  @Test
  void previewsAreForAutoencodersThatAreKnown() {
    VaeConfig known = new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.3611, 0.1159);
    VaeConfig other = new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.18215, 0);
    assertThat(Flux1.FAMILY.previews()).containsOnlyKeys(known).doesNotContainKey(other);
    RgbImage grey =
        new LatentPreview(Flux1.FAMILY.previews().get(known))
            .preview(new LatentGrid(Flux1.LATENTS, 16, 16), new float[64]);
    assertThat(grey)
        .isEqualTo(RgbImage.of(2, 2, new int[] {0x808080, 0x808080, 0x808080, 0x808080}));
  }

  @Test
  void aCheckpointMayBringItsOwnPreviews(@TempDir Path folder) throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder);
    assertThat(Checkpoint.open(copy.folder()).previews()).isPresent();
    Path file = copy.file("vae/preview_factors.json");
    for (String damaged :
        List.of(
            "{\"factors\": [[1, 2, 3]], \"constant\": [0, 0, 0]} | 16 rows",
            "{\"factors\": [[1, 2]], \"constant\": [0, 0, 0]} | 3 finite numbers",
            "{\"factors\": [[1, 2, \"x\"]], \"constant\": [0, 0, 0]} | 3 finite numbers",
            "{\"factors\": 5, \"constant\": [0, 0, 0]} | an array of rows",
            "{\"constant\": [0, 0, 0]} | 'factors' is missing")) {
      String[] parts = damaged.split(" \\| ", 2);
      Files.writeString(file, parts[0]);
      assertThatThrownBy(() -> Checkpoint.open(copy.folder()))
          .isInstanceOf(ModelException.class)
          .hasMessageContainingAll("preview_factors.json", parts[1]);
    }
    Files.delete(file);
    assertThat(Checkpoint.open(copy.folder()).previews()).isEmpty();
  }
}
