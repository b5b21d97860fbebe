package io.github.urae.server.internal.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where uploads lie while somebody works with them. Thread-safe. */
final class UploadFolder {

  private static final Logger LOG = LoggerFactory.getLogger(UploadFolder.class);

  private static final int PIECE = 1 << 16;

  private final Path folder;

  /** Makes the folder, and removes what an end at a bad moment has left there. */
  UploadFolder(Path dataFolder) throws IOException {
    folder = Files.createDirectories(dataFolder.resolve("temporary").resolve("uploads"));
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
  }

  /**
   * Returns a new, empty file.
   *
   * @throws UncheckedIOException if there cannot be one
   */
  Path file() {
    try {
      return Files.createTempFile(folder, "upload", "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Copies what comes into a file.
   *
   * @throws IOException if it does not come to its end
   * @throws UncheckedIOException if the file cannot be written, which is not the caller's fault
   */
  static void copy(InputStream in, Path file) throws IOException {
    byte[] piece = new byte[PIECE];
    try (OutputStream out = opened(file)) {
      for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
        write(piece, count, out);
      }
    }
  }

  private static OutputStream opened(Path file) {
    try {
      return Files.newOutputStream(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(byte[] piece, int count, OutputStream out) {
    try {
      out.write(piece, 0, count);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Removes files; that they stay until the next start harms nobody. */
  static void remove(List<Path> files) {
    for (Path file : files) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        LOG.warn("an upload could not be removed", e);
      }
    }
  }
}
