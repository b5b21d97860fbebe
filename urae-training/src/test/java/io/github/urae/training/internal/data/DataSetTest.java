package io.github.urae.training.internal.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Folders that others made, whole and not. */
class DataSetTest {

  @TempDir Path folder;

  @BeforeEach
  void copyGoldenData() throws IOException {
    try (Stream<Path> files = Files.list(TestData.path("training/data"))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
  }

  private DataSet open() throws IOException {
    return DataSet.open(folder, folder);
  }

  private void replace(String file, Map<String, String> stamp, Map<String, Tensor> tensors)
      throws IOException {
    SafetensorsWriter.write(folder.resolve(file), stamp, tensors);
  }

  private static Map<String, Tensor> latents(int height, int width, float value) {
    float[] values = new float[16 * height * width];
    Arrays.fill(values, 0.5f);
    values[values.length - 1] = value;
    Tensor tensor = Tensor.ofFloats(values, 16, height, width);
    return new TreeMap<>(Map.of("mean", tensor, "std", tensor));
  }

  private void assertRefused(String... parts) {
    assertThatThrownBy(this::open)
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll(parts);
  }

  @Test
  void picturesWithoutCachesAreSkipped() throws IOException {
    Files.delete(folder.resolve("image_0_latent_code.safetensors"));
    Files.delete(folder.resolve("image_1_prompt_embed.safetensors"));
    DataSet data = open();
    assertThat(data.examples()).hasSize(1);
    assertThat(data.skipped())
        .extracting(Skipped::reason)
        .containsExactly(
            "has no image_0_latent_code.safetensors: prepare the folder",
            "has no image_1_prompt_embed.safetensors nor that of a generated prompt: prepare the"
                + " folder");
    Files.delete(folder.resolve("image_2_latent_code.safetensors"));
    assertRefused(
        folder.toString(), "expected pictures with caches", "image_0.jpg has no", "prepare");
  }

  @Test
  void cachesStandAloneWhereThereIsNoPicture() throws IOException {
    Files.delete(folder.resolve("image_0.jpg"));
    assertThat(open().examples()).hasSize(2);
    Files.delete(folder.resolve("image_1.jpg"));
    Files.delete(folder.resolve("image_2.jpg"));
    assertThat(open().examples()).hasSize(3);
  }

  @Test
  void emptyAndMissingFoldersAreRefused(@TempDir Path empty) {
    assertThatThrownBy(() -> DataSet.open(empty, empty))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("found no picture");
    assertThatThrownBy(() -> DataSet.open(empty.resolve("none"), empty))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void damagedCachesAreAllNamed() throws IOException {
    byte[] whole = Files.readAllBytes(folder.resolve("image_0_latent_code.safetensors"));
    Files.write(
        folder.resolve("image_0_latent_code.safetensors"),
        Arrays.copyOf(whole, whole.length - 100));
    Files.write(folder.resolve("image_1_prompt_embed.safetensors"), new byte[5]);
    assertRefused(
        "2 caches cannot be used",
        "image_0_latent_code.safetensors",
        "image_1_prompt_embed.safetensors");
  }

  @Test
  void wrongTensorsAreRefused() throws IOException {
    replace("image_0_latent_code.safetensors", Map.of(), latents(5, 4, 0));
    assertRefused("image_0_latent_code", "rows and columns even", "[16, 5, 4]");
    Tensor one = Tensor.ofFloats(new float[32], 2, 4, 4);
    Tensor other = Tensor.ofFloats(new float[16], 1, 4, 4);
    replace("image_0_latent_code.safetensors", Map.of(), Map.of("mean", one, "std", other));
    assertRefused("image_0_latent_code", "of one shape", "[2, 4, 4] and [1, 4, 4]");
    replace("image_0_latent_code.safetensors", Map.of(), Map.of("mean", one));
    assertRefused("image_0_latent_code", "expected a tensor 'std'", "none of this name");
    replace("image_0_latent_code.safetensors", Map.of(), latents(4, 4, 0));
    assertThat(open().examples().get(0).latentHeight()).isEqualTo(4);
    replace("image_1_latent_code.safetensors", Map.of(), Map.of("mean", other, "std", other));
    assertRefused("image_1_latent_code", "another channels of latents", "image_0_latent_code");
  }

  @Test
  void integersAreNoCaches() throws IOException {
    Tensor codes =
        Tensor.view(ElementType.I8, Shape.of(16, 2, 2), ByteBuffer.allocate(64), "codes");
    replace("image_0_latent_code.safetensors", Map.of(), Map.of("mean", codes, "std", codes));
    assertRefused("'mean' in F32, BF16 or F16, found I8");
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"F32", "BF16", "F16"})
  void everyElementTypeOfUraesScriptsIsReadAsItIs(ElementType type) throws IOException {
    Path file = folder.resolve("image_0_latent_code.safetensors");
    Tensor mean;
    Tensor deviation;
    try (SafetensorsFile golden = SafetensorsFile.open(file)) {
      mean = Tensor.ofFloats(golden.tensor("mean").toFloats(), 16, 24, 24);
      deviation = Tensor.ofFloats(golden.tensor("std").toFloats(), 16, 24, 24);
    }
    CacheFile.write(file, CacheFile.LATENTS, List.of(mean, deviation), type, Map.of());
    LoadedExample loaded = open().examples().get(0).load(CaptionKind.PROMPT);
    assertThat(loaded.mean().type()).isEqualTo(type);
    TestData.assertClose(
        type + " mean",
        mean.toFloats(),
        loaded.mean().toFloats(),
        type == ElementType.F32 ? 1e-30 : 4e-3);
  }

  @Test
  void cachesOfSeveralMakingsAreNotMixed() throws IOException {
    replace("image_0_latent_code.safetensors", Map.of(CacheStamp.VAE, "one"), latents(4, 4, 0));
    assertThatCode(this::open).doesNotThrowAnyException();
    replace("image_2_latent_code.safetensors", Map.of(CacheStamp.VAE, "two"), latents(4, 4, 0));
    assertRefused(
        "image_2_latent_code", "another autoencoder than", "image_0_latent_code", "made anew");
    replace(
        "image_0_latent_code.safetensors", Map.of(CacheStamp.RESOLUTION, "64"), latents(4, 4, 0));
    replace(
        "image_2_latent_code.safetensors", Map.of(CacheStamp.RESOLUTION, "own"), latents(4, 4, 0));
    assertRefused("another resolution than");
  }

  @Test
  void numbersThatAreNotFiniteAreNamed() throws IOException {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      replace("image_2_latent_code.safetensors", Map.of(), latents(4, 4, bad));
      CachedExample example = open().examples().get(2);
      assertThatThrownBy(() -> example.load(CaptionKind.GENERATED_PROMPT))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining("image_2_latent_code.safetensors")
          .hasMessageContaining("expected finite numbers in 'mean', found " + bad + " at 255");
    }
  }

  @Test
  void aCacheThatChangesMeanwhileIsNoticed() throws IOException {
    CachedExample example = open().examples().get(2);
    replace("image_2_latent_code.safetensors", Map.of(), latents(4, 4, 0));
    assertThatThrownBy(() -> example.load(CaptionKind.GENERATED_PROMPT))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("as when it was opened");
  }

  @Test
  void cachesOfAnotherModelAreRefused() throws IOException {
    DataSet data = open();
    data.checkModel(16, 96, 64);
    assertThatThrownBy(() -> data.checkModel(16, 4096, 64))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("image_0_prompt_embed.safetensors: was made for another model")
        .hasMessageContaining("width of T5's embeddings of 4096, found 96");
  }

  @Test
  void picturesAreKeptFromTraining() throws IOException {
    DataSet data = open();
    List<DataSet> parts = data.split(1, 5);
    assertThat(parts.get(0).examples()).hasSize(2);
    assertThat(parts.get(1).examples()).hasSize(1);
    assertThat(parts.get(0).examples()).doesNotContainAnyElementsOf(parts.get(1).examples());
    assertThat(data.split(1, 5).get(1).digest()).isEqualTo(parts.get(1).digest());
    assertThat(data.digest()).isNotEqualTo(parts.get(0).digest()).matches("[0-9a-f]{40}");
    assertThatThrownBy(() -> data.split(3, 5)).isInstanceOf(IllegalArgumentException.class);
  }
}
