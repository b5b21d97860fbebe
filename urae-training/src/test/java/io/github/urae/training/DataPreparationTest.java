package io.github.urae.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ModelException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.device.Device;
import io.github.urae.flux.model.Component;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Caches made by the pipeline, beside those that URAE's own scripts made. */
class DataPreparationTest {

  private static final Path GOLDEN = TestData.path("training/data");

  private static FluxPipeline pipeline;

  @TempDir Path folder;

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

  private void copyPictures() throws IOException {
    try (Stream<Path> files = Files.list(GOLDEN)) {
      for (Path file : files.filter(one -> !one.toString().endsWith(".safetensors")).toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
  }

  private void picture(String name, int width, int height, String caption) throws IOException {
    int[] pixels = new int[width * height];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = ((i % width * 255 / width) << 16) | ((i / width * 255 / height) << 8);
    }
    Path file = folder.resolve(name + ".png");
    Files.createDirectories(file.getParent());
    try (OutputStream out = Files.newOutputStream(file)) {
      ImageFormat.PNG.write(RgbImage.of(width, height, pixels), Map.of(), out);
    }
    if (caption != null) {
      Files.writeString(folder.resolve(name + ".txt"), caption);
    }
  }

  private DataPreparation.Builder small() {
    return DataPreparation.builder(folder).resolution(64).textTokens(8);
  }

  private Map<String, FileTime> caches() throws IOException {
    Map<String, FileTime> times = new TreeMap<>();
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(one -> one.toString().endsWith(".safetensors")).toList()) {
        times.put(folder.relativize(file).toString(), Files.getLastModifiedTime(file));
      }
    }
    return times;
  }

  /** So that what is written later is newer. */
  private void age() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, FileTime.from(Instant.now().minusSeconds(60)));
      }
    }
  }

  @Test
  void meetsTheCachesOfUraesScripts() throws IOException {
    copyPictures();
    PreparationReport report =
        DataPreparation.builder(folder).resolution(192).textTokens(32).build().run(pipeline);
    assertThat(report)
        .isEqualTo(new PreparationReport(3, 3, 0, 6, 0, List.of(), List.of(), List.of()));
    int compared = 0;
    try (Stream<Path> files = Files.list(GOLDEN)) {
      for (Path file : files.filter(one -> one.toString().endsWith(".safetensors")).toList()) {
        try (SafetensorsFile golden = SafetensorsFile.open(file);
            SafetensorsFile own = SafetensorsFile.open(folder.resolve(file.getFileName()))) {
          assertThat(own.tensors().keySet()).isEqualTo(golden.tensors().keySet());
          for (String name : golden.tensors().keySet()) {
            assertThat(own.tensor(name).shape()).isEqualTo(golden.tensor(name).shape());
            assertThat(own.tensor(name).type()).isEqualTo(ElementType.F32);
            TestData.assertClose(
                file.getFileName() + " " + name,
                golden.tensor(name).toFloats(),
                own.tensor(name).toFloats(),
                2e-5);
            compared++;
          }
        }
      }
    }
    assertThat(compared).isEqualTo(14);
    TrainingData data = TrainingData.open(folder);
    assertThat(data.examples().get(1))
        .isEqualTo(new TrainingExample("image_1", 192, 144, 108, 32, true, true));
    assertThat(data.vaeFingerprint()).hasValue(pipeline.fingerprint(Component.VAE_ENCODER));
  }

  @Test
  void keepsWhatFitsAndMakesAgainWhatChanged() throws IOException {
    picture("a", 80, 64, "one");
    picture("deep/b", 64, 64, "two");
    PreparationReport first = small().build().run(pipeline);
    assertThat(first.pictures()).isEqualTo(2);
    age();
    Map<String, FileTime> before = caches();
    assertThat(before)
        .containsOnlyKeys(
            "a_latent_code.safetensors",
            "a_prompt_embed.safetensors",
            "deep/b_latent_code.safetensors",
            "deep/b_prompt_embed.safetensors");
    assertThat(small().build().run(pipeline))
        .isEqualTo(new PreparationReport(2, 0, 2, 0, 2, List.of(), List.of(), List.of()));
    assertThat(caches()).isEqualTo(before);

    Files.writeString(folder.resolve("a.txt"), "another");
    byte[] same = Files.readAllBytes(folder.resolve("a.png"));
    Files.write(folder.resolve("a.png"), same); // Touched only.
    picture("deep/b", 96, 64, "two");
    Path truncated = folder.resolve("deep/b_prompt_embed.safetensors");
    Files.write(truncated, Arrays.copyOf(Files.readAllBytes(truncated), 100));
    PreparationReport again = small().build().run(pipeline);
    assertThat(again)
        .isEqualTo(new PreparationReport(2, 1, 1, 2, 0, List.of(), List.of(), List.of()));
    assertThat(caches().get("a_latent_code.safetensors"))
        .isEqualTo(before.get("a_latent_code.safetensors"));
  }

  @Test
  void cachesOfAnotherAutoencoderAreNotTrainedOn() throws IOException {
    picture("a", 80, 64, "one");
    small().build().run(pipeline);
    FluxTraining.Builder training =
        SmallTraining.builder(folder.resolve("output")).data(folder).steps(1);
    assertThat(training.build().plan().pictures()).isEqualTo(1);
    Path other = Files.createDirectories(folder.resolve("vae"));
    try (Stream<Path> files = Files.list(TestData.checkpoint().resolve("vae"))) {
      for (Path file : files.toList()) {
        byte[] bytes = Files.readAllBytes(file);
        if (file.toString().endsWith(".safetensors")) {
          for (int i = bytes.length / 2; i < bytes.length; i++) {
            bytes[i] ^= 1;
          }
        }
        Files.write(other.resolve(file.getFileName()), bytes);
      }
    }
    FluxTraining another = training.vae(other).build();
    assertThatThrownBy(another::run)
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("another autoencoder", other.toString(), "--vae");
    assertThat(folder.resolve("output")).doesNotExist();
  }

  @Test
  void cachesOfOtherSettingsAreRefusedOrMadeAgain() throws IOException {
    picture("a", 80, 64, "one");
    small().build().run(pipeline);
    Map<String, FileTime> before = caches();
    assertThatThrownBy(() -> small().resolution(128).textTokens(9).build().run(pipeline))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("2 caches were made otherwise")
        .hasMessageContaining("a_latent_code.safetensors was made at resolution 64, not 128")
        .hasMessageContaining("a_prompt_embed.safetensors holds 8 tokens, not 9")
        .hasMessageContaining("--redo");
    assertThatThrownBy(() -> small().fit(PictureFit.CROP).build().run(pipeline))
        .hasMessageContaining("was made with 'stretch', not 'crop'");
    assertThat(caches()).isEqualTo(before);
    PreparationReport redone =
        small().resolution(128).textTokens(9).redo(true).build().run(pipeline);
    assertThat(redone.encodedPictures()).isEqualTo(1);
    assertThat(redone.encodedCaptions()).isEqualTo(1);
    assertThat(redone.enlarged()).containsExactly("a");
    TrainingExample example = TrainingData.open(folder).examples().get(0);
    assertThat(example.width()).isEqualTo(128);
    assertThat(example.textTokens()).isEqualTo(9);
  }

  @Test
  void cachesOfUraesScriptsStayOrAreRefusedBySize() throws IOException {
    copyPictures();
    try (Stream<Path> files = Files.list(GOLDEN)) {
      for (Path file : files.filter(one -> one.toString().endsWith(".safetensors")).toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    PreparationReport report =
        DataPreparation.builder(folder).resolution(192).textTokens(32).build().run(pipeline);
    assertThat(report)
        .isEqualTo(new PreparationReport(3, 0, 3, 2, 4, List.of(), List.of(), List.of()));
    assertThatThrownBy(
            () ->
                DataPreparation.builder(folder)
                    .resolution(256)
                    .textTokens(32)
                    .build()
                    .run(pipeline))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("3 caches")
        .hasMessageContaining("image_0_latent_code.safetensors holds a picture of 192x192");
  }

  @Test
  void badPicturesAreSkippedAndNamed() throws IOException {
    picture("good", 64, 64, "good");
    picture("mute", 64, 64, null);
    picture("cut", 64, 64, "cut");
    byte[] whole = Files.readAllBytes(folder.resolve("cut.png"));
    Files.write(folder.resolve("cut.png"), Arrays.copyOf(whole, whole.length / 2));
    Files.write(folder.resolve("empty.jpg"), new byte[0]);
    Files.writeString(folder.resolve("empty.txt"), "empty");
    Files.writeString(folder.resolve("text.jpg"), "<html>no picture</html>");
    Files.writeString(folder.resolve("text.txt"), "text");
    picture("small", 32, 32, "small");
    PreparationReport report = small().skipSmaller(true).build().run(pipeline);
    assertThat(report.pictures()).isEqualTo(1);
    assertThat(report.skipped())
        .extracting(one -> one.file().getFileName().toString())
        .containsExactly("cut.png", "empty.jpg", "mute.png", "small.png", "text.jpg");
    assertThat(report.skipped().get(2).reason()).contains("has no caption");
    assertThat(report.skipped().get(3).reason()).contains("too small");
    assertThat(report.skipped().get(0))
        .hasToString(folder.resolve("cut.png") + ": " + report.skipped().get(0).reason());
    assertThat(TrainingData.open(folder).examples()).hasSize(1);
    assertThat(TrainingData.open(folder).skipped()).hasSize(5);
  }

  @Test
  void ownSizesStayWhereTheyAreWholeTokens() throws IOException {
    picture("fits", 64, 48, "fits");
    picture("odd", 70, 50, "odd");
    PreparationReport report = DataPreparation.builder(folder).textTokens(8).build().run(pipeline);
    assertThat(report.skipped().get(0).reason()).contains("odd size", "found 70x50");
    assertThat(TrainingData.open(folder).examples())
        .containsExactly(new TrainingExample("fits", 64, 48, 12, 8, true, false));
    PreparationReport cropped =
        DataPreparation.builder(folder)
            .textTokens(8)
            .fit(PictureFit.CROP)
            .redo(true)
            .build()
            .run(pipeline);
    assertThat(cropped.skipped()).isEmpty();
    assertThat(TrainingData.open(folder).examples().get(1))
        .isEqualTo(new TrainingExample("odd", 64, 48, 12, 8, true, false));
  }

  @Test
  void tellsOfProgressAndOfLongCaptions() throws IOException {
    picture("a", 64, 64, "a word ".repeat(40));
    picture("b", 64, 64, "short");
    List<StageProgress> told = new ArrayList<>();
    PreparationReport report = small().listener(told::add).build().run(pipeline);
    assertThat(report.shortened()).containsExactly("a");
    List<String> stages =
        told.stream()
            .filter(one -> one.stage() != Stage.LOADING && one.stage() != Stage.CONVERTING)
            .map(one -> one.stage() + " " + one.done() + "/" + one.total() + " " + one.unit())
            .toList();
    assertThat(stages)
        .containsExactly(
            "ENCODING_TEXT 0/2 PROMPTS",
            "ENCODING_TEXT 2/2 PROMPTS",
            "ENCODING_IMAGE 0/2 IMAGES",
            "ENCODING_IMAGE 1/2 IMAGES",
            "ENCODING_IMAGE 2/2 IMAGES");
  }

  @Test
  void goesOnWhereItWasEnded() throws IOException {
    for (String name : List.of("a", "b", "c", "d")) {
      picture(name, 64, 64, name);
    }
    CancellationToken cancellation = new CancellationToken();
    ProgressListener ending =
        progress -> {
          if (progress.stage() == Stage.ENCODING_IMAGE && progress.done() == 2) {
            cancellation.cancel();
          }
        };
    DataPreparation ended = small().listener(ending).cancellation(cancellation).build();
    assertThatThrownBy(() -> ended.run(pipeline)).isInstanceOf(GenerationCancelledException.class);
    assertThat(caches()).hasSize(6);
    assertThat(TrainingData.open(folder).examples()).hasSize(2);
    assertThat(small().build().run(pipeline))
        .isEqualTo(new PreparationReport(4, 2, 2, 0, 4, List.of(), List.of(), List.of()));
  }

  @Test
  void cachesMayLieElsewhereAndInBfloat16(@TempDir Path other) throws IOException {
    picture("deep/a", 64, 64, "one");
    Path caches = other.resolve("new");
    small().caches(caches).storage(ElementType.BF16).build().run(pipeline);
    assertThat(caches()).isEmpty();
    try (SafetensorsFile own =
        SafetensorsFile.open(caches.resolve("deep/a_latent_code.safetensors"))) {
      assertThat(own.tensor("mean").type()).isEqualTo(ElementType.BF16);
      assertThat(own.tensor("std").shape()).isEqualTo(Shape.of(16, 8, 8));
    }
    assertThat(TrainingData.open(folder, caches).examples()).hasSize(1);
  }

  @Test
  void refusesWhatCannotBe() {
    assertThatThrownBy(() -> DataPreparation.builder(folder.resolve("none")).build().run(pipeline))
        .isInstanceOf(NoSuchFileException.class);
    assertThatThrownBy(() -> small().textTokens(65).build().run(pipeline))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("text tokens: expected 1 to 64");
    assertThatThrownBy(() -> small().resolution(100).build())
        .isInstanceOf(InvalidRequestException.class);
    assertThatThrownBy(() -> small().storage(ElementType.F16))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> small().threads(0)).isInstanceOf(IllegalArgumentException.class);
  }
}
