package io.github.urae.weights;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.InputFile;
import io.github.urae.weights.internal.ShardedSafetensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;

/** Opens safetensors wherever they lie: a file, an index, or a folder with one of either. */
public final class Safetensors {

  static final String FILE_SUFFIX = ".safetensors";
  static final String INDEX_SUFFIX = ".safetensors.index.json";

  private static final byte[] GGUF = {'G', 'G', 'U', 'F'};

  private Safetensors() {}

  /**
   * Opens a file, an index of shards, or a folder that holds one set of weights.
   *
   * <p>In a folder, the names that diffusers and transformers write ({@code
   * diffusion_pytorch_model}, {@code model}) win over others, and an index wins over a single file
   * of the same name. Of variants ({@code model.fp16.safetensors}, {@code
   * model.safetensors.index.fp16.json}), the plain one is read, else {@code bf16}, {@code fp32},
   * {@code fp16} or the only one.
   *
   * @param path a {@code .safetensors} file, a {@code .safetensors.index.json} file, with or
   *     without a variant in its name, or a folder
   * @return the open source; the caller closes it
   * @throws IOException if something is missing or cannot be read
   * @throws FileFormatException if a file breaks the format, or the folder holds several sets of
   *     weights
   * @throws ModelException if the file is of the GGUF format
   */
  public static TensorSource open(Path path) throws IOException {
    try {
      return openFile(Files.isDirectory(path) ? inFolder(path) : path);
    } catch (NoSuchFileException e) {
      throw HuggingFaceCache.explained(e);
    }
  }

  private static TensorSource openFile(Path path) throws IOException {
    if (WeightFolder.isIndex(path.getFileName().toString())) {
      return ShardedSafetensors.open(path);
    }
    refuseGguf(path);
    return SafetensorsFile.open(path);
  }

  private static void refuseGguf(Path file) throws IOException {
    InputFile.checkRegular(file);
    try (InputStream in = Files.newInputStream(file)) {
      if (Arrays.equals(in.readNBytes(GGUF.length), GGUF)) {
        throw new ModelException(
            file
                + ": GGUF files hold quantised weights and are not supported; use the model's"
                + " safetensors in bfloat16, float16 or float32");
      }
    }
  }

  private static Path inFolder(Path folder) throws IOException {
    try {
      return WeightFolder.find(folder);
    } catch (NoSuchFileException e) {
      try (Stream<Path> entries = Files.list(folder)) {
        for (Path gguf : entries.filter(p -> p.toString().endsWith(".gguf")).sorted().toList()) {
          refuseGguf(gguf);
        }
      }
      throw e;
    }
  }
}
