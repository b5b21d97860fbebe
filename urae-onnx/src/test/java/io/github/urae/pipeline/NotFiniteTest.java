package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.Profile;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers from which no picture comes are told, and no flat picture is made of them. */
class NotFiniteTest {

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

  private static GenerationRequest.Builder request() {
    return GenerationRequest.builder("a red circle").size(64, 64).steps(2).seed(1);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e38, -1e38, 1e300})
  void guidance(double scale) {
    assertThatThrownBy(() -> pipeline.generate(request().guidance(scale).build()))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("step 1 of 2")
        .hasMessageContaining("guidance of " + scale);
  }

  @ParameterizedTest
  @CsvSource({"1e38, 1", "1e38, 2", "1e20, 1", "1e300, 3"})
  void trueGuidance(double scale, int steps) {
    assertThatThrownBy(
            () -> pipeline.generate(request().steps(steps).trueGuidance("text", scale).build()))
        .isInstanceOf(InferenceException.class)
        .hasMessageContaining("step 1 of " + steps)
        .hasMessageContaining("true guidance, " + scale);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-38, 1e-300, Double.MIN_VALUE})
  void shift(double shift) {
    Profile.Settings settings = Profile.Settings.AUTO.withShift(new TimestepShift.Static(shift));
    assertThatThrownBy(() -> pipeline.generate(request().profile(settings).build()))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("timestep shift");
  }

  @Test
  void dynamicShift() {
    Profile.Settings settings =
        Profile.Settings.AUTO.withShift(new TimestepShift.Dynamic(1e6, 1e6, 1, 2));
    assertThatThrownBy(() -> pipeline.generate(request().profile(settings).build()))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("timestep shift");
  }

  @Test
  void scaleOfAnAdapter() throws IOException {
    try (FluxPipeline adapted =
        FluxPipeline.builder()
            .model(TestData.checkpoint())
            .device(io.github.urae.device.Device.cpu())
            .cacheFolder(folder.resolve("cache"))
            .adapters(List.of(new AdapterSpec(TestData.adapter2k(), 1e30)))
            .build()) {
      assertThatThrownBy(() -> adapted.generate(request().build()))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining("step 1 of 2")
          .hasMessageContaining("at scale 1.0E30");
    }
  }

  /** NaN in one weight of each network. */
  @ParameterizedTest
  @CsvSource({
    "transformer, step 1 of 2",
    "text_encoder, text_encoder: prompt 1",
    "text_encoder_2, text_encoder_2: prompt 1",
    "vae, the autoencoder"
  })
  void damagedWeights(String network, String place) throws IOException {
    CheckpointCopy checkpoint =
        CheckpointCopy.in(folder)
            .rewrite(
                network,
                tensors -> {
                  tensors.replaceAll(
                      (name, tensor) -> name.contains("norm") ? notANumber(tensor) : tensor);
                  return tensors;
                });
    try (FluxPipeline damaged = checkpoint.open()) {
      assertThatThrownBy(() -> damaged.generate(request().build()))
          .isInstanceOf(InferenceException.class)
          .hasMessageContaining(place)
          .hasMessageContaining("not finite")
          .hasMessageContaining("damaged");
    }
  }

  private static Tensor notANumber(Tensor tensor) {
    float[] values = tensor.toFloats();
    values[values.length / 2] = Float.NaN;
    return CheckpointCopy.converted(
        Tensor.ofFloats(values, tensor.shape().toArray()), tensor.type());
  }

  @Test
  void latentsAndEmbeddingsThatAreGiven() throws IOException {
    float[] noise = new float[16 * 64];
    noise[7] = Float.POSITIVE_INFINITY;
    Tensor latents = Tensor.ofFloats(noise, 1, 16, 64);
    assertThatThrownBy(() -> request().latents(latents))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("latents: expected finite numbers, found Infinity at 7");
    float[] large = new float[16 * 64];
    Arrays.fill(large, 1e30f);
    GenerationRequest huge = request().latents(Tensor.ofFloats(large, 1, 16, 64)).build();
    assertThatThrownBy(() -> pipeline.generate(huge)).isInstanceOf(InferenceException.class);
  }

  @Test
  void latentsOfACallback() {
    RunOptions options =
        RunOptions.builder()
            .onStepEnd(
                (step, latents) -> {
                  float[] values = latents.toFloats();
                  values[3] = Float.NaN;
                  return Tensor.ofFloats(values, latents.shape().toArray());
                })
            .build();
    assertThatThrownBy(() -> pipeline.generate(request().build(), options))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("onStepEnd: expected finite latents");
  }

  @Test
  void largeButPossible() throws IOException {
    assertThat(pipeline.generate(request().guidance(50).trueGuidance("text", 30).build()))
        .hasSize(1);
  }

  /** Sizes and numbers of pictures that no memory holds are refused before anything is drawn. */
  @ParameterizedTest
  @CsvSource({
    "2147483632, 2147483632, 1",
    "2147483632, 16, 1",
    "1048576, 1048576, 1",
    "64, 2147483632, 2",
    "4096, 4096, 65536"
  })
  void sizesBeyondMemory(int width, int height, int images) {
    GenerationRequest request =
        GenerationRequest.builder("a").size(width, height).imagesPerPrompt(images).seed(1).build();
    assertThatThrownBy(() -> pipeline.generate(request))
        .isInstanceOf(InvalidRequestException.class);
    assertThatThrownBy(() -> pipeline.plan(request)).isInstanceOf(InvalidRequestException.class);
  }

  /** What a prompt may hold: nothing that ends in another exception. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "a\u0000b",
        "\uD800",
        "a\uDC00\uD800",
        "\uFEFFa",
        "\u001B]0;x\u0007",
        "\uFFFF",
        ""
      })
  void promptsOfAnyCharacters(String prompt) throws IOException {
    GenerationRequest request =
        GenerationRequest.builder(prompt).size(64, 64).steps(1).seed(1).build();
    assertThat(pipeline.generate(request)).hasSize(1);
  }

  @Test
  void theLongestPromptIsReadInBoundedTime() throws IOException {
    String prompt = "star ".repeat(20_000);
    assertTimeoutPreemptively(
        Duration.ofMinutes(3),
        () ->
            assertThat(
                    pipeline.generate(
                        GenerationRequest.builder(prompt).size(64, 64).steps(1).seed(1).build()))
                .hasSize(1));
  }
}
