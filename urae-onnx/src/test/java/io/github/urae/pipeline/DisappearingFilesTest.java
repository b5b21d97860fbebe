package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.tensor.ElementType;
import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Files that are deleted, replaced, cut short or damaged while a pipeline has them open. */
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "files that are in use cannot be deleted there")
class DisappearingFilesTest {

  private static final GenerationRequest REQUEST =
      GenerationRequest.builder("a red circle").size(64, 64).steps(2).seed(5).build();

  @TempDir Path folder;

  private Path cache() {
    return folder.resolve("cache");
  }

  private FluxPipeline open(Path checkpoint, Offload offload) throws IOException {
    return FluxPipeline.builder()
        .model(checkpoint)
        .adapter(TestData.adapter2k())
        .device(Device.cpu())
        .cacheFolder(cache())
        .offload(offload)
        .build();
  }

  /** Latents and pixels: of all networks that draw. */
  private static List<Object> draw(FluxPipeline pipeline) {
    return draw(pipeline, RunOptions.builder().build());
  }

  private static List<Object> draw(FluxPipeline pipeline, RunOptions options) {
    GeneratedImage picture = pipeline.generate(REQUEST, options).get(0);
    List<Object> values = new ArrayList<>();
    for (float latent : picture.latents().toFloats()) {
      values.add(latent);
    }
    for (int pixel : picture.toBufferedImage().getRGB(0, 0, 64, 64, null, 0, 64)) {
      values.add(pixel);
    }
    return values;
  }

  private static void delete(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    try (Stream<Path> files = Files.walk(root)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private List<Path> derived() throws IOException {
    try (Stream<Path> files = Files.list(cache())) {
      return files.filter(file -> file.toString().endsWith(".safetensors")).toList();
    }
  }

  private static void cut(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(channel.size() / 3);
    }
  }

  @ParameterizedTest
  @EnumSource(Offload.class)
  void theCacheMayBeDeletedAtAnyTime(Offload offload) throws IOException {
    Path checkpoint = TestData.checkpoint();
    List<Object> expected;
    try (FluxPipeline pipeline = open(checkpoint, offload)) {
      assertThat(derived()).isNotEmpty();
      expected = draw(pipeline);
      delete(cache());
      assertThat(draw(pipeline)).as("between generations").isEqualTo(expected);
      RunOptions options =
          RunOptions.builder()
              .onStep(
                  step -> {
                    try {
                      delete(cache());
                    } catch (IOException e) {
                      throw new AssertionError(e);
                    }
                  })
              .build();
      assertThat(draw(pipeline, options)).as("while one goes on").isEqualTo(expected);
      pipeline.setAdapters(List.of());
      pipeline.generate(REQUEST);
    }
    delete(cache());
    try (FluxPipeline pipeline = open(checkpoint, offload)) {
      delete(cache());
      assertThat(draw(pipeline)).as("before the first").isEqualTo(expected);
    }
  }

  /** As an update does that unpacks beside the old files and renames. */
  @ParameterizedTest
  @EnumSource(Offload.class)
  void theModelMayBeDeletedOrReplacedWhileItIsOpen(Offload offload) throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder).convert("vae", ElementType.F32);
    try (FluxPipeline pipeline = open(copy.folder(), offload)) {
      List<Object> expected = draw(pipeline);
      Path weights = copy.file("vae/model.safetensors");
      Path other = Files.writeString(weights.resolveSibling("other"), "not weights");
      Files.move(other, weights, StandardCopyOption.REPLACE_EXISTING);
      assertThat(draw(pipeline)).isEqualTo(expected);
      delete(copy.folder());
      assertThat(draw(pipeline)).isEqualTo(expected);
    }
  }

  /** Without a look before the mapping, ONNX Runtime would end the process (SIGBUS). */
  @ParameterizedTest
  @EnumSource(
      value = Offload.class,
      names = {"ONE_AT_A_TIME", "BLOCK"})
  void filesThatAreCutShortWhileTheyAreOpenAreNamed(Offload offload) throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder).convert("vae", ElementType.F32);
    List<Object> expected;
    try (FluxPipeline pipeline = open(copy.folder(), offload)) {
      expected = draw(pipeline);
      for (Path file : derived()) {
        cut(file);
      }
      assertThatThrownBy(() -> draw(pipeline))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll(cache().toString(), "open it again");
    }
    // What was cut short is made again.
    try (FluxPipeline pipeline = open(copy.folder(), offload)) {
      assertThat(draw(pipeline)).isEqualTo(expected);
      Path weights = copy.file("vae/model.safetensors");
      cut(weights);
      assertThatThrownBy(() -> draw(pipeline))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll(weights.toString(), "open it again");
    }
  }

  @Test
  void aFileThatIsWrittenOverWhileItIsOpenIsNamed() throws IOException {
    CheckpointCopy copy = CheckpointCopy.in(folder).convert("vae", ElementType.F32);
    try (FluxPipeline pipeline = open(copy.folder(), Offload.ONE_AT_A_TIME)) {
      Path weights = copy.file("vae/model.safetensors");
      Files.setLastModifiedTime(weights, FileTime.fromMillis(0));
      assertThatThrownBy(() -> draw(pipeline))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll(weights.toString(), "changed");
    }
  }

  @Test
  void flippedBytesInTheCacheAreNeverDrawnFrom() throws IOException {
    Path checkpoint = TestData.checkpoint();
    List<Object> expected;
    try (FluxPipeline pipeline = open(checkpoint, Offload.ALL)) {
      expected = draw(pipeline);
    }
    for (Path file : derived()) {
      byte[] bytes = Files.readAllBytes(file);
      bytes[bytes.length / 2] ^= 64;
      Files.write(file, bytes);
    }
    try (FluxPipeline pipeline = open(checkpoint, Offload.ALL)) {
      assertThat(draw(pipeline)).isEqualTo(expected);
    }
  }
}
