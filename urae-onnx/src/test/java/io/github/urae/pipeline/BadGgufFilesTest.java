package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.github.urae.UraeException;
import io.github.urae.flux.model.Component;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * GGUF files that are broken, of other models or incomplete, given as the transformer: each is
 * refused in bounded time, by a message that names the file and what is wrong with it. None of them
 * is a whole model, not even those that are sound.
 */
class BadGgufFilesTest {

  /** What messages say of some beside the name of the file. */
  private static final Map<String, List<String>> WORDS =
      Map.ofEntries(
          Map.entry("good", List.of("only a part", "double_blocks.0.img_attn.qkv.weight")),
          Map.entry("nan-scale", List.of("only a part")),
          Map.entry("truncated-data", List.of("download")),
          Map.entry("big-endian", List.of("big-endian")),
          Map.entry("type-4", List.of("'img_in.weight'", "Q4_2")),
          Map.entry("type-5", List.of("'img_in.weight'", "Q4_3")),
          Map.entry("type-31", List.of("'img_in.weight'", "Q4_0_4_4")),
          Map.entry("type-36", List.of("'img_in.weight'", "IQ4_NL_4_4")),
          Map.entry("type-99", List.of("'img_in.weight'", "type 99")),
          Map.entry("type-iq2_xxs", List.of("'img_in.weight'", "IQ2_XXS")),
          Map.entry("type-i8", List.of("'img_in.weight'", "I8")),
          Map.entry("arch-llama-blk", List.of("a language model", "'llama'")),
          Map.entry("arch-sd3-joint_blocks", List.of("Stable Diffusion 3", "'sd3'")),
          Map.entry("arch-hyvid-double_blocks", List.of("HunyuanVideo", "'hyvid'")),
          Map.entry("arch-t5encoder-enc", List.of("T5", "text_encoder_2", "'t5encoder'")),
          Map.entry("arch-flux-distilled_guidance_layer", List.of("Chroma")),
          Map.entry("arch-flux-single_stream_modulation", List.of("FLUX.2")),
          Map.entry("arch-flux-transformer_blocks", List.of("only a part")),
          Map.entry("img_in-384", List.of("FLUX.1 Fill", "384")),
          Map.entry("img_in-128", List.of("FLUX.1 Canny", "128")),
          Map.entry("img_in-196", List.of("another", "196")));

  @TempDir static Path folder;

  private static List<String> names;

  @BeforeAll
  static void unpack() throws IOException {
    try (FileSystem zip = FileSystems.newFileSystem(TestData.path("quantised/bad.zip"));
        Stream<Path> files = Files.list(zip.getPath("/"))) {
      names =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".gguf"))
              .sorted()
              .toList();
      for (String name : names) {
        Files.copy(zip.getPath(name), folder.resolve(name));
      }
    }
    assertThat(names).hasSize(52);
  }

  private static Stream<String> cases() {
    return names.stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void isRefused(String name) {
    Path file = folder.resolve(name);
    QuantisedCase bad = new QuantisedCase(name, file);
    String label = name.substring("gguf-".length(), name.length() - ".gguf".length());
    assertTimeoutPreemptively(
        Duration.ofMinutes(2),
        () ->
            assertThatThrownBy(
                    () -> {
                      Path model = Files.createTempDirectory(folder, "model");
                      try (Networks networks = bad.open(model, "flux-cut", Arithmetic.FLOAT32);
                          NetworkUse transformer = networks.use(Component.TRANSFORMER)) {
                        assertThat(transformer).isNotNull();
                      }
                    })
                .isInstanceOf(UraeException.class)
                .hasMessageContaining(name)
                .hasMessageContainingAll(
                    WORDS.getOrDefault(label, List.of(": ")).toArray(CharSequence[]::new)));
  }
}
