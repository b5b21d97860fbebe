package io.github.urae.training.internal.data;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What a cache file holds: two tensors of one element type, checked by its header.
 *
 * @param file where it lies
 * @param first shape of the first tensor: of latents the means, of text T5's embeddings
 * @param second shape of the second: of latents the deviations, of text CLIP's
 * @param stamp what this library has noted of how it was made; empty in files of URAE's scripts
 */
record CacheFile(Path file, Shape first, Shape second, Map<String, String> stamp) {

  /** The names of latents' tensors. */
  static final List<String> LATENTS = List.of("mean", "std");

  /** The names of embeddings' tensors. */
  static final List<String> TEXT = List.of("caption_feature_t5", "caption_feature_clip");

  /** How many pieces of a large tensor a digest takes in, and how long they are. */
  private static final int PIECES = 64;

  private static final int PIECE_BYTES = 4096;

  private static final Set<ElementType> TYPES =
      EnumSet.of(ElementType.F32, ElementType.BF16, ElementType.F16);

  /** Reads the header of latents. */
  static CacheFile ofLatents(Path file) throws IOException {
    return read(file, LATENTS);
  }

  /** Reads the header of embeddings. */
  static CacheFile ofText(Path file) throws IOException {
    return read(file, TEXT);
  }

  private static CacheFile read(Path file, List<String> names) throws IOException {
    try (SafetensorsFile stored = SafetensorsFile.open(file)) {
      Shape first = checked(stored, names.get(0)).shape();
      Shape second = checked(stored, names.get(1)).shape();
      check(file, names, first, second);
      return new CacheFile(file, first, second, stored.metadata());
    }
  }

  private static TensorInfo checked(SafetensorsFile stored, String name) {
    Optional<TensorInfo> tensor = stored.find(name);
    if (tensor.isEmpty()) {
      throw unexpected(stored.path(), "a tensor '" + name + "'", "none of this name");
    }
    if (!TYPES.contains(tensor.get().type()) || !tensor.get().encoding().isPlain()) {
      throw unexpected(
          stored.path(), "'" + name + "' in F32, BF16 or F16", tensor.get().encoding().name());
    }
    return tensor.get();
  }

  private static void check(Path file, List<String> names, Shape first, Shape second) {
    boolean fits;
    if (names.equals(LATENTS)) {
      fits =
          first.rank() == 3
              && first.equals(second)
              && first.elementCount() > 0
              && first.dimension(1) % 2 == 0
              && first.dimension(2) % 2 == 0;
    } else {
      fits = first.rank() == 2 && second.rank() == 1 && first.elementCount() > 0;
      fits &= second.elementCount() > 0;
    }
    fits &= first.elementCount() <= Integer.MAX_VALUE / 4 && second.elementCount() > 0;
    if (!fits) {
      String expected =
          names.equals(LATENTS)
              ? "'mean' and 'std' of one shape, [channels, rows, columns], rows and columns even"
              : "'caption_feature_t5' [tokens, width] and 'caption_feature_clip' [width]";
      throw unexpected(file, expected, first + " and " + second);
    }
  }

  private static FileFormatException unexpected(Path file, String expected, String found) {
    return new FileFormatException(
        file
            + ": expected "
            + expected
            + ", found "
            + found
            + "; delete it and prepare the folder again");
  }

  /**
   * Reads both tensors into memory.
   *
   * @return as they are stored
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is damaged, has become another, or holds a number that is not
   *     finite
   */
  List<Tensor> load(List<String> names) throws IOException {
    try (SafetensorsFile stored = SafetensorsFile.open(file)) {
      Tensor one = copy(stored, names.get(0), first);
      return List.of(one, copy(stored, names.get(1), second));
    }
  }

  /** Lets a digest take in tensors: small ones whole, of larger ones pieces. */
  void digestInto(MessageDigest digest, List<String> names) throws IOException {
    try (SafetensorsFile stored = SafetensorsFile.open(file)) {
      for (String name : names) {
        TensorInfo info = checked(stored, name);
        digest.update((name + info.type() + info.shape() + "\0").getBytes(StandardCharsets.UTF_8));
        if (info.length() <= (long) PIECES * PIECE_BYTES) {
          digestInto(digest, stored, name, 0, (int) info.length());
        } else {
          for (long piece = 0; piece < PIECES; piece++) {
            long first = (info.length() - PIECE_BYTES) * piece / (PIECES - 1);
            digestInto(digest, stored, name, first, PIECE_BYTES);
          }
        }
      }
    }
  }

  private static void digestInto(
      MessageDigest digest, SafetensorsFile stored, String name, long first, int length)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    stored.read(name, first, bytes);
    digest.update(bytes.flip());
  }

  private static Tensor copy(SafetensorsFile stored, String name, Shape expected)
      throws IOException {
    TensorInfo info = checked(stored, name);
    if (!info.shape().equals(expected)) {
      throw unexpected(
          stored.path(), "'" + name + "' " + expected + ", as when it was opened", info.toString());
    }
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(info.length()));
    stored.read(name, 0, bytes);
    Tensor tensor =
        Tensor.view(info.type(), info.shape(), bytes.flip(), stored.path() + ": " + name);
    checkFinite(stored.path(), name, tensor);
    return tensor;
  }

  private static void checkFinite(Path file, String name, Tensor tensor) {
    float[] values = new float[(int) Math.min(1 << 16, tensor.shape().elementCount())];
    for (long first = 0; first < tensor.shape().elementCount(); first += values.length) {
      int count = (int) Math.min(values.length, tensor.shape().elementCount() - first);
      tensor.toFloats(first, values, 0, count);
      for (int i = 0; i < count; i++) {
        if (!Float.isFinite(values[i])) {
          throw unexpected(
              file, "finite numbers in '" + name + "'", values[i] + " at " + (first + i));
        }
      }
    }
  }

  /**
   * Writes a cache, beside its place at first.
   *
   * @param file its folder exists
   * @param type what numbers are stored in: F32 or BF16
   */
  static void write(
      Path file,
      List<String> names,
      List<Tensor> tensors,
      ElementType type,
      Map<String, String> stamp)
      throws IOException {
    Map<String, Tensor> stored = new LinkedHashMap<>();
    for (int i = 0; i < names.size(); i++) {
      stored.put(names.get(i), converted(tensors.get(i), type));
    }
    SafetensorsWriter.write(file, stamp, stored);
  }

  private static Tensor converted(Tensor tensor, ElementType type) {
    if (tensor.type() == type) {
      return tensor;
    }
    float[] values = tensor.toFloats();
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(type.byteSize(values.length)));
    Elements.fromFloats(type, values, 0, values.length, bytes);
    return Tensor.view(type, tensor.shape(), bytes.flip(), tensor.origin());
  }
}
