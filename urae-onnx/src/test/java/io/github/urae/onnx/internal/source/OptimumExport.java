package io.github.urae.onnx.internal.source;

import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Optimum's export of the demo checkpoint, unpacked; tokenizers are the checkpoint's own. */
public final class OptimumExport {

  private OptimumExport() {}

  /** Unpacks the export into a new folder, which a test may change. */
  public static Path unpackInto(Path folder) throws IOException {
    Path root = Files.createDirectories(folder.resolve("optimum"));
    try (InputStream packed = Files.newInputStream(TestData.path("exports/optimum.zip"));
        ZipInputStream zip = new ZipInputStream(packed)) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        Path target = root.resolve(entry.getName());
        if (entry.isDirectory()) {
          Files.createDirectories(target);
        } else {
          Files.createDirectories(target.getParent());
          Files.copy(zip, target, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
    for (String tokenizer : new String[] {"tokenizer", "tokenizer_2"}) {
      if (!Files.exists(root.resolve(tokenizer))) {
        copy(TestData.checkpoint().resolve(tokenizer), root.resolve(tokenizer));
      }
    }
    return root;
  }

  private static void copy(Path source, Path target) throws IOException {
    try (Stream<Path> files = Files.walk(source)) {
      files.forEach(
          file -> {
            try {
              Files.copy(file, target.resolve(source.relativize(file)));
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
          });
    }
  }
}
