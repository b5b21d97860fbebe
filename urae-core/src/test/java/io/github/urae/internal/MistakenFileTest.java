package io.github.urae.internal;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people have under a name that ends in {@code .safetensors}. */
class MistakenFileTest {

  @TempDir Path folder;

  private void assertNamed(String latin1, String... parts) throws IOException {
    Path file = folder.resolve("weights.safetensors");
    Files.write(file, latin1.getBytes(StandardCharsets.ISO_8859_1));
    assertThatThrownBy(() -> SafetensorsFile.open(file))
        .isInstanceOf(FileFormatException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContainingAll(parts);
  }

  @Test
  void pagesAndPointers() throws IOException {
    assertNamed("<!doctype html><html><head>", "an HTML page", "download the file again");
    assertNamed("\u00ef\u00bb\u00bf\n <!DOCTYPE HTML>", "an HTML page");
    assertNamed("<html>", "an HTML page");
    assertNamed(
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "Git LFS",
        "git lfs pull");
    assertNamed("Entry not found", "text that begins 'Entry not found'");
    assertNamed("{\"error\": \"no\"}\n", "text that begins '{\"error\": \"no\"}'");
    assertNamed("404", "text that begins '404'");
  }

  @Test
  void otherFormats() throws IOException {
    assertNamed("GGUF\3\0\0\0\0\0\0\0\0\0", "a GGUF file", ".safetensors file");
    assertNamed(
        "PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\20\0\0\0archive/data.pkl",
        "a PyTorch pickle",
        "not read",
        "save_file");
    assertNamed("PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0lora.safetensors", "a ZIP archive", "unpack");
    assertNamed("\200\2\212\nl\374\234F\371 j\250P\31.", "a PyTorch pickle");
    assertNamed("\200\2}q\0.PK", "a PyTorch pickle");
    assertNamed("\37\213\10\0\0\0\0\0\0\3abc", "a packed archive");
    assertNamed("\211PNG\r\n\32\n\0\0\0\rIHDR", "a picture");
  }

  @Test
  void unfinishedDownloads() throws IOException {
    assertNamed("", "found only 0 bytes", "download it again");
    assertNamed("\0".repeat(4096), "zeros", "download it again");
  }

  @Test
  void whatNothingTells() throws IOException {
    assertNamed("\1\2\3", "found only 3 bytes");
    assertNamed("\377".repeat(20), "probably no safetensors file");
  }
}
