package io.github.urae.safetensors;

import io.github.urae.FileFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Opens safetensors wherever they lie: a file, an index, or a folder with one of either. */
public final class Safetensors {

  static final String FILE_SUFFIX = ".safetensors";
  static final String INDEX_SUFFIX = ".safetensors.index.json";

  private Safetensors() {}

  /**
   * Opens a file, an index of shards, or a folder that holds one set of weights.
   *
   * <p>In a folder, the names that diffusers and transformers write ({@code
   * diffusion_pytorch_model}, {@code model}) win over others, and an index wins over a single file
   * of the same name.
   *
   * @param path a {@code .safetensors} file, a {@code .safetensors.index.json} file, or a folder
   * @return the open source; the caller closes it
   * @throws IOException if something is missing or cannot be read
   * @throws FileFormatException if a file breaks the format, or the folder holds several sets of
   *     weights
   */
  public static TensorSource open(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return open(findInFolder(path));
    }
    if (path.getFileName().toString().endsWith(INDEX_SUFFIX)) {
      return ShardedSafetensors.open(path);
    }
    return SafetensorsFile.open(path);
  }

  private static Path findInFolder(Path folder) throws IOException {
    for (String name : List.of("diffusion_pytorch_model", "model")) {
      for (String suffix : List.of(INDEX_SUFFIX, FILE_SUFFIX)) {
        Path candidate = folder.resolve(name + suffix);
        if (Files.exists(candidate)) {
          return candidate;
        }
      }
    }
    List<Path> indices = list(folder, INDEX_SUFFIX);
    List<Path> files = list(folder, FILE_SUFFIX);
    List<Path> candidates = indices.isEmpty() ? files : indices;
    if (candidates.isEmpty()) {
      throw new NoSuchFileException(
          folder.toString(),
          null,
          "the folder holds no .safetensors file; other formats (.bin, .gguf, .ckpt) are not read");
    }
    if (candidates.size() > 1) {
      throw new FileFormatException(
          folder + ": expected one set of weights, found " + candidates + "; name one of them");
    }
    return candidates.get(0);
  }

  private static List<Path> list(Path folder, String suffix) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(p -> p.getFileName().toString().endsWith(suffix)).sorted().toList();
    }
  }
}
