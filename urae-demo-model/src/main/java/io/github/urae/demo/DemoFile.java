package io.github.urae.demo;

import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32;

/**
 * A file of the demo model, as {@code files.txt} lists it: checksum, size and name of each.
 *
 * @param checksum CRC-32
 * @param size in bytes
 * @param name relative to the model's folder, with {@code /}
 */
record DemoFile(long checksum, long size, String name) {

  private static final int PIECE_BYTES = 1 << 18;

  static List<DemoFile> all() throws IOException {
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(resource("files.txt"), StandardCharsets.UTF_8))) {
      return lines.lines().map(DemoFile::parse).toList();
    }
  }

  private static DemoFile parse(String line) {
    String[] parts = line.split(" ", 3);
    return new DemoFile(Long.parseLong(parts[0], 16), Long.parseLong(parts[1]), parts[2]);
  }

  private static InputStream resource(String name) throws IOException {
    InputStream in = DemoFile.class.getResourceAsStream(name);
    if (in == null) {
      throw new FileNotFoundException("resource " + name + " is missing from urae-demo-model");
    }
    return in;
  }

  boolean isWholeIn(Path folder) throws IOException {
    Path file = folder.resolve(name);
    if (!Files.isRegularFile(file) || Files.size(file) != size) {
      return false;
    }
    CRC32 found = new CRC32();
    byte[] piece = new byte[(int) Math.min(PIECE_BYTES, size)];
    try (InputStream in = Files.newInputStream(file)) {
      for (int count = in.read(piece); count > 0; count = in.read(piece)) {
        found.update(piece, 0, count);
      }
    }
    return found.getValue() == checksum;
  }

  /** Unpacks to a path where nothing is. */
  void unpackTo(Path file) throws IOException {
    Files.createDirectories(file.getParent());
    try (InputStream in = resource(name)) {
      Files.copy(in, file);
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) {
      throw new IOException(
          file + ": could not be written (" + size + " bytes): " + e.getMessage(), e);
    }
  }

  /** Unpacks beside the damaged file, which others may have open, and renames. */
  void replaceIn(Path folder) throws IOException {
    Path file = folder.resolve(name);
    Path temporary = file.resolveSibling(file.getFileName() + "." + UUID.randomUUID() + ".partial");
    try {
      unpackTo(temporary);
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
    if (!isWholeIn(folder)) {
      throw new IOException(file + ": is not what files.txt of urae-demo-model says");
    }
  }
}
