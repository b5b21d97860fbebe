package io.github.urae.weights;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.internal.HuggingFaceCache;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.MistakenFile;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.ShardedSafetensors;
import io.github.urae.weights.internal.gguf.GgufHeader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Opens weights wherever they lie: a safetensors or GGUF file, an index of shards, or a folder with
 * one of these.
 */
public final class Safetensors {

  static final String FILE_SUFFIX = ".safetensors";
  static final String INDEX_SUFFIX = ".safetensors.index.json";
  static final String GGUF_SUFFIX = ".gguf";

  private static final byte[] GGUF = {'G', 'G', 'U', 'F'};

  /** As many first bytes tell safetensors from other files. */
  private static final int LOOKED_AT = 9;

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
   * <p>Whether a file is safetensors or GGUF is told by its first bytes. The tensors of a GGUF file
   * have their dimensions in PyTorch's order, and its metadata are those entries that are no
   * arrays.
   *
   * @param path a {@code .safetensors} or {@code .gguf} file, a {@code .safetensors.index.json}
   *     file, with or without a variant in its name, or a folder
   * @return the open source; the caller closes it
   * @throws IOException if something is missing or cannot be read
   * @throws FileFormatException if a file breaks the format, or the folder holds several sets of
   *     weights
   * @throws ModelException if a GGUF file is of a version, or a tensor in it of a type, that is not
   *     read
   */
  public static TensorSource open(Path path) throws IOException {
    try {
      return openFile(Files.isDirectory(path) ? WeightFolder.find(path) : path);
    } catch (NoSuchFileException e) {
      throw HuggingFaceCache.explained(e);
    }
  }

  private static TensorSource openFile(Path path) throws IOException {
    String name = path.getFileName().toString();
    if (WeightFolder.isIndex(name)) {
      return ShardedSafetensors.open(path);
    }
    return isGguf(path, name)
        ? PlacedTensors.read(List.of(path), GgufHeader::read)
        : SafetensorsFile.open(path);
  }

  /** By its first bytes; by its name where these tell nothing. */
  private static boolean isGguf(Path file, String name) throws IOException {
    InputFile.checkRegular(file);
    byte[] start;
    try (InputStream in = Files.newInputStream(file)) {
      start = in.readNBytes(LOOKED_AT);
    }
    return Arrays.equals(start, 0, Math.min(start.length, GGUF.length), GGUF, 0, GGUF.length)
        || (name.endsWith(GGUF_SUFFIX) && !MistakenFile.isSafetensors(start));
  }
}
