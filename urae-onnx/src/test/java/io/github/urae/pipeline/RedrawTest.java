package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.device.Device;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRecord;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.PromptEmbeddings;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.Seeds;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.image.RgbImage;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a saved picture tells draws it again, to the last bit. */
class RedrawTest {

  private static FluxPipeline pipeline;

  @TempDir Path folder;

  @BeforeAll
  static void open() throws IOException {
    pipeline = builder().build();
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
    return GenerationRequest.builder("a blue star on a white background").size(64, 48).steps(3);
  }

  private void assertRedrawn(GenerationRequest.Builder request, GenerationRecord.Inputs inputs)
      throws IOException {
    assertRedrawn(pipeline, request, inputs);
  }

  /** Draws, saves, and draws each picture again: as its request and as its file tell. */
  private void assertRedrawn(
      FluxPipeline from, GenerationRequest.Builder request, GenerationRecord.Inputs inputs)
      throws IOException {
    List<GeneratedImage> pictures = from.generate(request.build());
    for (int i = 0; i < pictures.size(); i++) {
      GeneratedImage picture = pictures.get(i);
      Path file = folder.resolve(i + ".png");
      picture.save(file);
      assertThat(RgbImage.read(file)).isEqualTo(picture.toRgbImage());
      GenerationRecord read = GenerationRecord.read(file, inputs);
      assertThat(read).isEqualTo(picture.record());
      assertThat(read.changedInputs()).isEmpty();
      List<GeneratedImage> again = from.generate(read.request());
      assertThat(again).hasSize(1);
      // Several at once are rounded otherwise than each alone.
      int rounding = Math.min(pictures.size(), read.request().batchSize()) > 1 ? 1 : 0;
      assertThat(
              GoldenCase.largestDifference(
                  picture.toBufferedImage(), again.get(0).toBufferedImage()))
          .as("picture " + i)
          .isLessThanOrEqualTo(rounding);
      assertThat(again.get(0).request()).isEqualTo(picture.request());
    }
    for (int i = 1; i < pictures.size(); i++) {
      assertThat(pictures.get(i).toRgbImage()).isNotEqualTo(pictures.get(0).toRgbImage());
    }
  }

  @Test
  void wordsAndSeeds() throws IOException {
    GenerationRecord.Inputs none = GenerationRecord.Inputs.NONE;
    assertRedrawn(small(), none);
    assertRedrawn(small().seed(-5).guidance(2).maxSequenceLength(20), none);
    assertRedrawn(small().secondPrompts("another").seed(1), none);
    assertRedrawn(GenerationRequest.builder("only words").steps(1), none);
    assertRedrawn(
        small()
            .profile(
                Profile.Settings.of(Profile.Choice.ULTRA)
                    .withShift(new TimestepShift.Static(2.2))
                    .withNtkFactor(3)),
        none);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void eachPictureOfABatch(int atOnce) throws IOException {
    GenerationRecord.Inputs none = GenerationRecord.Inputs.NONE;
    assertRedrawn(small().imagesPerPrompt(3).batchSize(atOnce), none);
    assertRedrawn(small().imagesPerPrompt(3).seed(4, 5, 6).batchSize(atOnce), none);
    assertRedrawn(
        GenerationRequest.builder(List.of("a star", "a ring"))
            .size(64, 48)
            .steps(2)
            .imagesPerPrompt(2)
            .batchSize(atOnce)
            .trueGuidance(new TrueGuidance(List.of("a circle", "a square"), 2)),
        none);
    // Of a part of a batch, again a part.
    assertRedrawn(
        small()
            .imagesPerPrompt(2)
            .batchSize(atOnce)
            .seeds(new Seeds(List.of(9L), Optional.of(new Seeds.Part(1, 4)))),
        none);
  }

  @Test
  void partOfABatchIsWhatTheBatchHolds() {
    List<GeneratedImage> four = pipeline.generate(small().imagesPerPrompt(4).seed(9).build());
    Seeds middle = new Seeds(List.of(9L), Optional.of(new Seeds.Part(1, 4)));
    List<GeneratedImage> two = pipeline.generate(small().imagesPerPrompt(2).seeds(middle).build());
    assertThat(two.get(0).toRgbImage()).isEqualTo(four.get(1).toRgbImage());
    assertThat(two.get(1).toRgbImage()).isEqualTo(four.get(2).toRgbImage());
    assertThat(two.get(1).request()).isEqualTo(four.get(2).request());
  }

  @Test
  void ultraResolutionWithAdapters() throws IOException {
    AdapterSpec adapter = new AdapterSpec(TestData.adapter2k(), 0.75);
    try (FluxPipeline adapted = builder().adapter(adapter.path(), adapter.scale()).build()) {
      assertRedrawn(adapted, small().size(256, 192), GenerationRecord.Inputs.NONE);
    }
    GenerationRecord record = GenerationRecord.read(folder.resolve("0.png"));
    assertThat(record.adapters())
        .containsExactly(GenerationRecord.AdapterUse.of(adapter.path(), 0.75));
    assertThat(record.model()).isEqualTo("flux-tiny");
    assertThat(record.device()).isEqualTo("cpu");
  }

  @Test
  void imageToImage() throws IOException {
    RgbImage start = pipeline.generate(small().seed(8).build()).get(0).toRgbImage();
    GenerationRecord.Inputs inputs = GenerationRecord.Inputs.of(start);
    assertRedrawn(small().initialImage(start, 0.7), inputs);
    assertRedrawn(small().size(80, 64).initialImage(start, 0.7).imagesPerPrompt(3), inputs);
    assertRedrawn(small().initialImage(start, 1).imagesPerPrompt(2).seed(1, 2), inputs);

    Path file = folder.resolve("0.png");
    assertThatThrownBy(() -> GenerationRequest.of(file))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining(file + ": request.start.image: only named here (64x48 pixels");
    RgbImage other = pipeline.generate(small().seed(7).build()).get(0).toRgbImage();
    GenerationRecord changed = GenerationRecord.read(file, GenerationRecord.Inputs.of(other));
    assertThat(changed.changedInputs()).containsExactly("request.start.image");
    assertThat(pipeline.generate(changed.request())).hasSize(1);
  }

  @Test
  void coarseToFine() throws IOException {
    CoarseToFine passes = new CoarseToFine(0.7, OptionalInt.of(2));
    GenerationRequest.Builder large = small().size(208, 160).coarseToFine(passes);
    assertRedrawn(large, GenerationRecord.Inputs.NONE);
    assertRedrawn(large.imagesPerPrompt(3), GenerationRecord.Inputs.NONE);
    assertRedrawn(large.vaeTiling(VaeTiling.ON).seed(1, 2, 3), GenerationRecord.Inputs.NONE);
  }

  @Test
  void latentsAndEmbeddings() throws IOException {
    PromptEmbeddings two = pipeline.encode(List.of("a star", "a ring"), 30, RunOptions.NONE);
    List<GeneratedImage> pictures =
        pipeline.generate(GenerationRequest.builder(two).size(64, 48).steps(1).seed(3).build());
    Path file = folder.resolve("second.png");
    pictures.get(1).save(file);
    GenerationRecord.Inputs inputs =
        new GenerationRecord.Inputs(Optional.empty(), Optional.empty(), Optional.of(two.only(1)));
    GeneratedImage again = pipeline.generate(GenerationRecord.read(file, inputs).request()).get(0);
    assertThat(again.toRgbImage()).isEqualTo(pictures.get(1).toRgbImage());

    GenerationRequest.Builder latents = small().latents(pictures.get(0).latents());
    assertRedrawn(
        latents,
        new GenerationRecord.Inputs(
            Optional.empty(), Optional.of(pictures.get(0).latents()), Optional.empty()));
  }

  @Test
  void otherFilesTellToo() throws IOException {
    GeneratedImage picture = pipeline.generate(small().build()).get(0);
    for (String name : List.of("a.jpg", "a.JPEG", "a.tif", "a.tiff", "a.webp")) {
      Path file = folder.resolve(name);
      picture.save(file);
      assertThat(GenerationRequest.of(file)).isEqualTo(picture.request());
    }
    for (String name : List.of("a.tif", "a.webp")) {
      assertThat(RgbImage.read(folder.resolve(name))).isEqualTo(picture.toRgbImage());
    }
    assertThatThrownBy(() -> picture.save(folder.resolve("a.gif")))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining(".webp");
    assertThat(folder.resolve("a.gif")).doesNotExist();
  }

  @Test
  void seedsBeyond32BitsDrawWhatPyTorchDraws() {
    GeneratedImage unsigned =
        pipeline.generate(small().seed(Seeds.parse("18446744073709551615")).build()).get(0);
    GeneratedImage signed = pipeline.generate(small().seed(-1).build()).get(0);
    assertThat(unsigned.record()).isEqualTo(signed.record());
    assertThat(unsigned.toRgbImage()).isEqualTo(signed.toRgbImage());
    assertThat(unsigned.record().asText()).containsEntry("seed", "18446744073709551615");
    // PyTorch's generator sees 32 bits, but the seed is recorded as it was given.
    GeneratedImage short32 = pipeline.generate(small().seed(0xFFFFFFFFL).build()).get(0);
    assertThat(short32.toRgbImage()).isEqualTo(signed.toRgbImage());
    assertThat(short32.record()).isNotEqualTo(signed.record());
  }
}
