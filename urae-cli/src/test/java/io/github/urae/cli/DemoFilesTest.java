package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.demo.DemoModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The unpacked demo model is a part of the cache: it is never drawn from when it is damaged. */
class DemoFilesTest {

  @TempDir Path cache;

  @Test
  void whatIsDamagedIsUnpackedAgain() throws IOException {
    Path folder = DemoModel.unpackInto(cache).checkpoint().getParent();
    List<Path> files;
    try (Stream<Path> all = Files.walk(folder)) {
      files = all.filter(Files::isRegularFile).toList();
    }
    assertThat(files).hasSizeGreaterThan(20);
    int number = 0;
    for (Path file : files) {
      byte[] whole = Files.readAllBytes(file);
      switch (number++ % 3) {
        case 0 -> Files.delete(file);
        case 1 -> Files.write(file, Arrays.copyOf(whole, whole.length / 2));
        default -> {
          byte[] flipped = whole.clone();
          flipped[whole.length / 2] ^= 1;
          Files.write(file, flipped);
        }
      }
      DemoModel.unpackInto(cache);
      assertThat(file).hasBinaryContent(whole);
    }
    try (Stream<Path> all = Files.walk(folder)) {
      assertThat(all.filter(Files::isRegularFile)).hasSameSizeAs(files);
    }
  }
}
