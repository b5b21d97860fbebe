package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs({OS.LINUX, OS.MAC})
class CacheFolderTest {

  @TempDir Path folder;

  @Test
  void theDefaultIsAbsoluteOrThereIsNone() throws IOException {
    assertThat(CacheFolder.byDefault("/x", "/somebody")).isEqualTo(Path.of("/x/urae"));
    for (String invalid : new String[] {null, "", "relative"}) {
      assertThat(CacheFolder.byDefault(invalid, "/somebody"))
          .isEqualTo(Path.of("/somebody/.cache/urae"));
      for (String home : new String[] {null, "", "?", "home"}) {
        assertThatThrownBy(() -> CacheFolder.byDefault(invalid, home))
            .isInstanceOf(IOException.class)
            .hasMessageContainingAll("'" + home + "'", "--cache-dir", "XDG_CACHE_HOME");
      }
    }
  }

  @Test
  void itIsMadeForItsUserAloneOrThePathIsNamed() throws IOException {
    Path cache = folder.resolve("a/b");
    CacheFolder.create(cache);
    CacheFolder.create(cache);
    for (Path made : new Path[] {cache, cache.getParent()}) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(made)))
          .isEqualTo("rwx------");
    }
    Path file = Files.createFile(folder.resolve("file"));
    for (Path wrong : new Path[] {file, file.resolve("below")}) {
      assertThatThrownBy(() -> CacheFolder.create(wrong))
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll(wrong.toString(), "--cache-dir");
    }
  }
}
