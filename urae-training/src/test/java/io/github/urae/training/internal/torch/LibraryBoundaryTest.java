package io.github.urae.training.internal.torch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** libtorch can be exchanged in one package. */
class LibraryBoundaryTest {

  @Test
  void onlyOnePackageKnowsLibtorch() throws IOException {
    try (Stream<Path> sources = Files.walk(Path.of("src/main/java/io"))) {
      List<Path> outside =
          sources
              .filter(file -> file.toString().endsWith(".java"))
              .filter(file -> !file.getParent().endsWith(Path.of("internal", "torch")))
              .filter(LibraryBoundaryTest::namesLibtorch)
              .toList();
      assertThat(outside).isEmpty();
    }
  }

  private static boolean namesLibtorch(Path file) {
    try {
      return Files.readString(file).contains("import org.bytedeco");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
