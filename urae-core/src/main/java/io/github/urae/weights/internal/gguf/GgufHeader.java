package io.github.urae.weights.internal.gguf;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.internal.MistakenFile;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.PlacedTensors;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Parses and checks what comes before the tensors of a GGUF file: magic, version, two counts, the
 * metadata, the list of tensors. Their bytes follow at multiples of an alignment.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">gguf.md</a>
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/src/gguf.cpp">gguf.cpp</a>, whose
 *     limits hold here as well
 */
public final class GgufHeader {

  /** {@code GGUF}, little-endian. */
  static final int MAGIC = 0x46554747;

  /** Versions 2 and 3 differ in what they allow only: 3 may be big-endian. */
  static final int VERSION = 3;

  private static final int OLDEST_VERSION = 2;

  /** {@code GGUF_DEFAULT_ALIGNMENT}. */
  static final int ALIGNMENT = 32;

  static final String ALIGNMENT_KEY = "general.alignment";

  static final String ARCHITECTURE_KEY = "general.architecture";

  /** {@code GGML_MAX_DIMS}. */
  private static final int MOST_DIMENSIONS = 4;

  /** FLUX.1's transformer has 780. */
  private static final int MOST_TENSORS = 250_000;

  /** llama.cpp bears 63; names in FLUX.1 have up to 62, but others put prefixes before them. */
  private static final int MOST_NAME_BYTES = 1 << 12;

  /** Length of the name, number of dimensions, type and offset. */
  private static final int LEAST_TENSOR_BYTES = 2 * Long.BYTES + 2 * Integer.BYTES;

  /** Tables of whole numbers that text encoders carry and nobody reads. */
  private static final String POSITIONS = "position_ids";

  private final GgufCursor cursor;
  private final long tensorCount;
  private final GgufMetadata metadata;

  private GgufHeader(Path file, FileChannel channel) throws IOException {
    cursor = new GgufCursor(file, channel, 0);
    checkMagic(channel);
    checkVersion(cursor.readInt("the version of the format"));
    tensorCount = cursor.readCount("tensors", LEAST_TENSOR_BYTES);
    long entries = cursor.readCount("metadata entries", GgufMetadata.LEAST_ENTRY_BYTES);
    metadata = GgufMetadata.read(cursor, entries);
  }

  /**
   * Reads a file's header and checks it against every rule of the format.
   *
   * @param file a GGUF file
   * @param channel the same file, open
   * @return its tensors, in order of offset, and its metadata but for arrays
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it breaks the format
   * @throws ModelException if the file is of a version, or a tensor of a type, that is not read
   */
  public static PlacedTensors.Contents read(Path file, FileChannel channel) throws IOException {
    GgufHeader header = new GgufHeader(file, channel);
    return new PlacedTensors.Contents(header.metadata.texts(), header.tensors());
  }

  static GgufMetadata metadata(Path file, FileChannel channel) throws IOException {
    return new GgufHeader(file, channel).metadata;
  }

  private void checkMagic(FileChannel channel) throws IOException {
    String found = null;
    if (cursor.fileSize() < Integer.BYTES) {
      found = "only " + cursor.fileSize() + " bytes; download or copy it again";
    } else if (cursor.readInt("the first bytes") != MAGIC) {
      found = MistakenFile.describe(channel).orElse("other bytes");
    }
    if (found != null) {
      throw new FileFormatException(
          cursor.file()
              + ": expected a GGUF file, which begins with these four letters, found "
              + found);
    }
  }

  private void checkVersion(int version) {
    if (version >= OLDEST_VERSION && version <= VERSION) {
      return;
    }
    String found = "version " + Integer.toUnsignedString(version);
    int reversed = Integer.reverseBytes(version);
    if (reversed > 0 && reversed <= 0xFFFF) {
      found =
          "version "
              + reversed
              + " in big-endian order, made for other processors; take the little-endian file";
    } else if (version == 1) {
      found += ", of August 2023; convert it anew";
    }
    throw new ModelException(
        cursor.file()
            + ": expected GGUF of version "
            + OLDEST_VERSION
            + " or "
            + VERSION
            + ", found "
            + found);
  }

  /** A tensor as the list has it. */
  private record Listed(String name, WeightEncoding encoding, Shape shape, long offset) {}

  private Map<String, TensorInfo> tensors() throws IOException {
    metadata.text(ARCHITECTURE_KEY);
    long alignment = alignment();
    if (tensorCount == 0) {
      throw new FileFormatException(
          cursor.file()
              + ": expected tensors, found a GGUF file without any; it is a vocabulary only, or the"
              + " first part of a split file");
    }
    if (tensorCount > MOST_TENSORS) {
      throw cursor.damaged("expected at most " + MOST_TENSORS + " tensors, found " + tensorCount);
    }
    Set<String> names = new HashSet<>();
    List<Listed> listed = new ArrayList<>();
    for (long i = 0; i < tensorCount; i++) {
      String name = cursor.readName(MOST_NAME_BYTES, "the name of tensor " + i);
      if (!names.add(name)) {
        throw damaged(name, "is listed twice");
      }
      readTensor(name, alignment).ifPresent(listed::add);
    }
    long dataStart = Math.multiplyExact((cursor.position() + alignment - 1) / alignment, alignment);
    List<TensorInfo> placed = new ArrayList<>();
    for (Listed tensor : listed) {
      placed.add(place(tensor, dataStart));
    }
    return checkLayout(placed);
  }

  private long alignment() {
    metadata.text(ARCHITECTURE_KEY);
    Optional<Long> found = metadata.integer(ALIGNMENT_KEY);
    long alignment = found.orElse((long) ALIGNMENT);
    if (alignment <= 0 || alignment > 1 << 30 || Long.bitCount(alignment) != 1) {
      throw new FileFormatException(
          cursor.file()
              + ": metadata entry '"
              + ALIGNMENT_KEY
              + "': expected a power of two, found "
              + alignment
              + "; take a file whose converter keeps to the format");
    }
    return alignment;
  }

  /** Reads one; empty where it is of no use. */
  private Optional<Listed> readTensor(String name, long alignment) throws IOException {
    String what = "tensor " + PrintableText.quoted(name);
    int rank = cursor.readInt(what);
    if (rank < 0 || rank > MOST_DIMENSIONS) {
      throw damaged(
          name,
          "expected at most "
              + MOST_DIMENSIONS
              + " dimensions, found "
              + Integer.toUnsignedString(rank));
    }
    long[] dimensions = new long[rank];
    for (int i = rank - 1; i >= 0; i--) {
      dimensions[i] = cursor.readLong(what); // The fastest comes first.
    }
    int type = cursor.readInt(what);
    long offset = cursor.readLong(what);
    Shape shape = shape(name, dimensions);
    Optional<GgmlType> known = GgmlType.of(type);
    if (known.isEmpty() && OtherGgmlTypes.isInteger(type) && name.endsWith(POSITIONS)) {
      return Optional.empty();
    }
    WeightEncoding encoding =
        known.orElseThrow(() -> OtherGgmlTypes.refused(cursor.file(), name, type)).encoding();
    checkRows(name, encoding, shape);
    if (offset < 0 || offset % alignment != 0) {
      throw damaged(
          name,
          "expected an offset that is a multiple of "
              + alignment
              + ", found "
              + Long.toUnsignedString(offset));
    }
    return Optional.of(new Listed(name, encoding, shape, offset));
  }

  private Shape shape(String name, long[] dimensions) {
    for (long dimension : dimensions) {
      if (dimension <= 0) {
        throw damaged(
            name, "expected dimensions of 1 or more, found " + Long.toUnsignedString(dimension));
      }
    }
    try {
      return Shape.of(dimensions);
    } catch (ArithmeticException e) {
      throw damaged(name, "impossible size: " + e.getMessage());
    }
  }

  private void checkRows(String name, WeightEncoding encoding, Shape shape) {
    if (encoding instanceof BlockEncoding blocks) {
      int elements = blocks.layout().blockElements();
      long columns = shape.rank() == 0 ? 1 : shape.dimension(-1);
      if (columns % elements != 0) {
        throw damaged(
            name,
            encoding.name()
                + shape
                + ": expected rows of whole blocks, each of "
                + elements
                + " values, found rows of "
                + columns);
      }
    }
  }

  private TensorInfo place(Listed tensor, long dataStart) {
    long length;
    try {
      length = tensor.encoding().byteSize(tensor.shape());
    } catch (ArithmeticException e) {
      throw damaged(tensor.name(), "impossible size: " + e.getMessage());
    }
    long left = cursor.fileSize() - dataStart;
    if (length > left || tensor.offset() > left - length) {
      throw new FileFormatException(
          cursor.file()
              + ": truncated: tensor "
              + PrintableText.quoted(tensor.name())
              + " takes "
              + length
              + " bytes from "
              + tensor.offset()
              + " of the data on, but only "
              + Math.max(0, left)
              + " bytes of data are there; the download was not finished: download it again");
    }
    return new TensorInfo(
        tensor.name(),
        tensor.encoding(),
        tensor.shape(),
        cursor.file(),
        dataStart + tensor.offset(),
        length);
  }

  private Map<String, TensorInfo> checkLayout(List<TensorInfo> tensors) {
    tensors.sort(Comparator.comparingLong(TensorInfo::offset));
    Map<String, TensorInfo> byName = new LinkedHashMap<>();
    TensorInfo before = null;
    for (TensorInfo tensor : tensors) {
      if (before != null && before.offset() + before.length() > tensor.offset()) {
        throw damaged(
            tensor.name(), "shares bytes with tensor " + PrintableText.quoted(before.name()));
      }
      byName.put(tensor.name(), tensor);
      before = tensor;
    }
    return Collections.unmodifiableMap(byName);
  }

  private FileFormatException damaged(String tensor, String problem) {
    return cursor.damaged("tensor " + PrintableText.quoted(tensor) + ": " + problem);
  }
}
