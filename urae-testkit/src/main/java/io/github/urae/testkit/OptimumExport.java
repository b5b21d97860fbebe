package io.github.urae.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * Optimum's export of the checkpoint. It is packed without what the checkpoint has as well, by
 * {@code generators/pack_export.py}, which says how; here that is put back, and every byte checked.
 */
public final class OptimumExport {

  private OptimumExport() {}

  /**
   * Unpacks the export, with the checkpoint's tokenizers, into a folder {@code optimum}, which a
   * test may change.
   *
   * @param folder where; an earlier copy there is replaced
   * @return the new folder
   */
  public static Path unpackInto(Path folder) throws IOException {
    Path root = Files.createDirectories(folder.resolve("optimum"));
    unzip(root);
    restoreWeights(root);
    copy(TestData.checkpoint().resolve("tokenizer"), root.resolve("tokenizer"));
    copy(TestData.checkpoint().resolve("tokenizer_2"), root.resolve("tokenizer_2"));
    return root;
  }

  private static void unzip(Path root) throws IOException {
    try (InputStream packed = Files.newInputStream(TestData.path("exports/optimum.zip"));
        ZipInputStream zip = new ZipInputStream(packed)) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        Path target = root.resolve(entry.getName());
        Files.createDirectories(target.getParent());
        Files.copy(zip, target, StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  private static void restoreWeights(Path root) throws IOException {
    Path weights = root.resolve("weights.tsv");
    Path checksums = root.resolve("checksums.tsv");
    Map<String, ByteBuffer> files = new HashMap<>();
    for (String line : Files.readAllLines(checksums)) {
      String file = line.split("\t", -1)[0];
      files.put(file, read(root.resolve(file)));
    }
    Map<String, ByteBuffer> checkpoint = new HashMap<>();
    for (String line : Files.readAllLines(weights)) {
      String[] fields = line.split("\t", -1);
      if (!checkpoint.containsKey(fields[2])) {
        checkpoint.put(fields[2], read(TestData.path(fields[2])));
      }
      restore(
          files.get(fields[0]),
          Integer.parseInt(fields[1]),
          checkpoint.get(fields[2]),
          Integer.parseInt(fields[3]),
          Integer.parseInt(fields[4]),
          Integer.parseInt(fields[5]));
    }
    for (String line : Files.readAllLines(checksums)) {
      String[] fields = line.split("\t", -1);
      CRC32 checksum = new CRC32();
      checksum.update(files.get(fields[0]));
      if (checksum.getValue() != Long.parseLong(fields[1], 16)) {
        throw new IOException("optimum.zip: " + fields[0] + " is not what was packed");
      }
      Files.write(root.resolve(fields[0]), files.get(fields[0]).array());
    }
    Files.delete(weights);
    Files.delete(checksums);
  }

  private static ByteBuffer read(Path file) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Writes a matrix of bfloat16 as float32, column after column. */
  private static void restore(
      ByteBuffer file, int at, ByteBuffer checkpoint, int first, int rows, int columns) {
    int target = at;
    for (int column = 0; column < columns; column++) {
      for (int row = 0; row < rows; row++) {
        int bits = checkpoint.getShort(first + (row * columns + column) * Short.BYTES);
        file.putInt(target, bits << 16);
        target += Integer.BYTES;
      }
    }
  }

  private static void copy(Path source, Path target) throws IOException {
    Files.createDirectories(target);
    try (Stream<Path> files = Files.list(source)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Files.copy(file, target.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }
}
