package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.github.urae.InvalidRequestException;
import io.github.urae.device.Device;
import io.github.urae.flux.CoarseToFine;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is beyond sense is refused before anything is allocated for it. */
class LimitsTest {

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

  private static void assertRefused(
      String reason, UnaryOperator<GenerationRequest.Builder> settings) {
    assertTimeoutPreemptively(
        Duration.ofMinutes(2),
        () ->
            assertThatThrownBy(
                    () ->
                        pipeline.generate(
                            settings
                                .apply(GenerationRequest.builder("a").size(64, 64).steps(1))
                                .build()))
                .isInstanceOf(InvalidRequestException.class)
                .hasMessageContaining(reason));
  }

  @ParameterizedTest
  @CsvSource({
    "1000000000, 1000000000",
    "2147483632, 2147483632",
    "2147483632, 16",
    "16, 2147483632",
    "65536, 65536"
  })
  void sizes(int width, int height) {
    assertRefused(width + "x" + height, request -> request.size(width, height));
  }

  @ParameterizedTest
  @ValueSource(ints = {100_000_000, 1_000_000_000, Integer.MAX_VALUE})
  void images(int count) {
    assertRefused("images: expected at most", request -> request.imagesPerPrompt(count));
  }

  @ParameterizedTest
  @ValueSource(ints = {1_000_000_000, Integer.MAX_VALUE})
  void steps(int count) {
    assertRefused("steps: expected at most", request -> request.steps(count));
    assertThatThrownBy(() -> new CoarseToFine(0.5, OptionalInt.of(count)))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("steps of the draft");
  }

  @Test
  void textTokens() {
    assertRefused("tokens", request -> request.maxSequenceLength(Integer.MAX_VALUE));
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 1025, 1_000_000})
  void threads(int count) {
    assertThatThrownBy(() -> FluxPipeline.builder().threads(count))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 to 1024");
  }

  @Test
  void settingsOfAPipeline() {
    assertThatThrownBy(() -> FluxPipeline.builder().memoryLimit(0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> FluxPipeline.builder().maxConcurrent(0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> FluxPipeline.builder().cacheLimit(-1))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
