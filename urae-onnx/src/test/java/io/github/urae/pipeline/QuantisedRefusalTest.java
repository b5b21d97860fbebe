package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Flux1;
import io.github.urae.flux.model.internal.NetworkWeights;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.quantised.RecognisedEncodings;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Broken and foreign quantised files end as they should, and say what they are. */
class QuantisedRefusalTest {

  @TempDir static Path files;

  private static final String LAYER = "double_blocks.0.img_attn.proj";

  /** What a message has to name; of the other files the layer. */
  private static final Map<String, List<String>> NAMES =
      Map.ofEntries(
          Map.entry("nunchaku-int4", List.of("Nunchaku", "GGUF", "bfloat16")),
          Map.entry("nunchaku-old-names", List.of("Nunchaku", "GGUF")),
          Map.entry("quanto-qint8", List.of("quanto", "GGUF")),
          Map.entry("torchao", List.of("torchao", "GGUF")),
          Map.entry("comfy-nvfp4", List.of("NVFP4", "GGUF")),
          Map.entry("comfy-mxfp8", List.of("'mxfp8'", "ComfyUI", "GGUF")),
          Map.entry("comfy-int8", List.of("'int8_tensorwise'", "ComfyUI", "GGUF")),
          Map.entry("comfy-unknown-format", List.of("'float9_e5m3'", "GGUF")),
          Map.entry("int8-col32", List.of(LAYER, "tiles", "weight_format 1")),
          Map.entry("st-header-huge", List.of("header", "4611686018427387904")),
          Map.entry("st-header-negative", List.of("header", "18446744073709551615")),
          Map.entry("st-f8_e8m0", List.of("'x'", "MXFP8")),
          Map.entry("st-f4", List.of("'x'", "MXFP4")),
          Map.entry("st-offset-beyond", List.of("truncated", "download")),
          Map.entry("st-size-mismatch", List.of("'x'", "64 bytes", "32")));

  /** Which of those that may be read are. */
  private static final Set<String> READ =
      Set.of("fp8-scale-per-row", "fp8-scale-per-block", "fp8-scaled-missing-scale", "nf4-good");

  @BeforeAll
  static void unpack() throws IOException {
    try (FileSystem zip = FileSystems.newFileSystem(TestData.path("quantised/bad.zip"));
        Stream<Path> found = Files.walk(zip.getPath("/"))) {
      for (Path file : found.filter(Files::isRegularFile).toList()) {
        Path target = files.resolve(zip.getPath("/").relativize(file).toString());
        Files.createDirectories(target.getParent());
        Files.copy(file, target);
      }
    }
  }

  static Stream<String> names() throws IOException {
    JsonNode expected = new ObjectMapper().readTree(files.resolve("expect.json").toFile());
    Set<String> names = new TreeSet<>();
    expected.fieldNames().forEachRemaining(names::add);
    return names.stream()
        .filter(name -> name.endsWith(".safetensors"))
        .map(name -> name.substring(0, name.length() - ".safetensors".length()));
  }

  @ParameterizedTest
  @MethodSource("names")
  void endsAsExpected(String name) {
    Path file = files.resolve(name + ".safetensors");
    Assertions.assertTimeoutPreemptively(
        Duration.ofMinutes(2),
        () -> {
          Throwable thrown = catchThrowable(() -> readAll(file));
          if (READ.contains(name)) {
            assertThat(thrown).isNull();
            return;
          }
          assertThat(thrown)
              .isInstanceOf(UraeException.class)
              .hasMessageContaining(file.toString())
              .hasMessageContainingAll(
                  NAMES.getOrDefault(name, List.of(LAYER)).toArray(new String[0]));
          if (!name.equals("fp8-nan-weight")) {
            assertThatThrownBy(
                    () -> NetworkWeights.open(file, Flux1.FAMILY, Component.TRANSFORMER).close())
                .as("refused when it is opened, before any weight is read")
                .isInstanceOf(thrown.getClass());
          }
        });
  }

  private static void readAll(Path file) throws IOException {
    try (TensorSource stored = Safetensors.open(file);
        TensorSource open = PlacedTensors.open(RecognisedEncodings.of(stored).values())) {
      for (TensorInfo info : open.tensors().values()) {
        float[] values = new float[(int) info.shape().elementCount()];
        open.readFloats(info.name(), 0, values, 0, values.length);
        for (float value : values) {
          assertThat(value).isFinite();
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "quanto",
        "torchao",
        "nunchaku_lite",
        "modelopt",
        "auto-round",
        "sdnq",
        "something-new"
      })
  void methodsInConfigurationsAreRefusedBeforeWeights(String method, @TempDir Path folder)
      throws IOException {
    Path foreign = files.resolve("config-" + method);
    String expected =
        Map.of("nunchaku_lite", "Nunchaku", "auto-round", "AutoRound", "sdnq", "SDNQ")
            .getOrDefault(method, method);
    assertThatThrownBy(
            () ->
                FluxPipeline.builder()
                    .model(TestData.checkpoint())
                    .transformer(foreign)
                    .build()
                    .close())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll(foreign.toString(), "quantization_config", expected, "GGUF");
    CheckpointCopy model = CheckpointCopy.in(folder);
    Files.writeString(
        model.file("transformer/config.json"), Files.readString(foreign.resolve("config.json")));
    assertThatThrownBy(() -> model.open().close())
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll(
            model.file("transformer/config.json").toString(), expected, "GGUF");
  }
}
