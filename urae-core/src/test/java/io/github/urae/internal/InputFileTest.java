package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.urae.FileFormatException;
import io.github.urae.weights.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.ThrowingSupplier;
import org.junit.jupiter.api.io.TempDir;

/** Whatever lies in a file's place is named, and never waited for. */
class InputFileTest {

  private static final Duration SOON = Duration.ofMinutes(2);

  @TempDir Path folder;

  private Path pipe(String name) throws IOException, InterruptedException {
    Path pipe = folder.resolve(name);
    Process made;
    try {
      made = new ProcessBuilder("mkfifo", pipe.toString()).start();
    } catch (IOException e) {
      assumeTrue(false, "needs mkfifo");
      throw e;
    }
    assertThat(made.waitFor()).isZero();
    return pipe;
  }

  private static void assertRefused(ThrowingSupplier<?> read, String... parts) {
    assertTimeoutPreemptively(
        SOON,
        () ->
            assertThatThrownBy(read::get)
                .isInstanceOf(FileFormatException.class)
                .hasMessageContainingAll(parts));
  }

  @Test
  void pipesAndDevicesAreNotRead() throws Exception {
    Path json = pipe("config.json");
    assertRefused(() -> JsonConfig.read(json), json.toString(), "a pipe");
    Path weights = pipe("model.safetensors");
    assertRefused(() -> Safetensors.open(weights), weights.toString(), "a pipe");
    Path index = pipe("model.safetensors.index.json");
    assertRefused(() -> Safetensors.open(index), index.toString(), "a pipe");
    Path zero = Path.of("/dev/zero");
    assumeTrue(Files.exists(zero), "needs /dev/zero");
    assertRefused(() -> InputFile.read(zero, 10), "/dev/zero", "device");
    Path link = Files.createSymbolicLink(folder.resolve("vocab.json"), zero);
    assertRefused(() -> InputFile.text(link, 10), link.toString(), "device");
    assertRefused(() -> Safetensors.open(zero), "/dev/zero", "device");
  }

  @Test
  void onlyWhatFitsIsRead() throws IOException {
    Path file = Files.write(folder.resolve("x"), new byte[11]);
    assertThat(InputFile.read(file, 11)).hasSize(11);
    assertRefused(() -> InputFile.read(file, 10), file.toString(), "at most 10 bytes");
    assertRefused(() -> InputFile.read(folder, 10), "found a folder");
    assertThatThrownBy(() -> InputFile.read(folder.resolve("none"), 10))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void textIsUtf8WithOrWithoutAMark() throws IOException {
    Path file = Files.writeString(folder.resolve("x"), "\uFEFF{\"ä\": 1}");
    assertThat(InputFile.text(file, 100)).isEqualTo("{\"ä\": 1}");
    assertThat(JsonConfig.read(file).positiveInt("ä")).isEqualTo(1);
    Files.write(file, new byte[] {(byte) 0xC3, '('});
    assertRefused(() -> InputFile.text(file, 100), file.toString(), "not UTF-8");
    assertRefused(() -> JsonConfig.read(file), file.toString(), "not valid JSON");
    Files.write(file, new byte[0]);
    assertThat(InputFile.text(file, 100)).isEmpty();
  }

  @Test
  void whatLiesInPlaceOfAConfigurationIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("config.json"), "<!doctype html><p>Sign in");
    assertRefused(() -> JsonConfig.read(file), "expected JSON", "an HTML page");
    Files.writeString(file, "{\n  \"a\": 1,\n  oops\n}");
    assertRefused(() -> JsonConfig.read(file), "line 3", "JSON");
  }
}
