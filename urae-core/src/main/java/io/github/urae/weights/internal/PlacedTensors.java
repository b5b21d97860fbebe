package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import io.github.urae.internal.InputFile;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Tensors at known places of files of any format, memory-mapped. Places may overlap: several names
 * may share bytes.
 */
public final class PlacedTensors implements TensorSource {

  /**
   * What a file says of its tensors.
   *
   * @param metadata strings that go with them
   * @param tensors where they lie, by name
   */
  public record Contents(Map<String, String> metadata, Map<String, TensorInfo> tensors) {}

  /** A file format: finds the tensors of a file. */
  @FunctionalInterface
  public interface HeaderReader {

    /**
     * Reads what comes before the tensors.
     *
     * @param file a file of this format
     * @param channel the same file, open
     * @return its tensors
     * @throws IOException if the file cannot be read
     * @throws FileFormatException if it breaks the format
     */
    Contents read(Path file, FileChannel channel) throws IOException;
  }

  /** A file as it was when it was opened. */
  private record Opened(MappedFile mapping, FileTime modified) {}

  private final Map<Path, Opened> files = new LinkedHashMap<>();
  private final OwnedResources resources = new OwnedResources();
  private final WeightEncoding.StoredBytes bytes = new Bytes();
  private Map<String, TensorInfo> tensors = Map.of();
  private Map<String, String> metadata = Map.of();
  private Optional<String> remark = Optional.empty();

  private PlacedTensors() {}

  /**
   * Opens files of one format with all their tensors.
   *
   * @param paths one or more files that share no name of a tensor
   * @param reader the format
   * @return the open tensors; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if a file breaks the format
   */
  public static PlacedTensors read(List<Path> paths, HeaderReader reader) throws IOException {
    PlacedTensors opened = new PlacedTensors();
    try {
      Map<String, TensorInfo> tensors = new LinkedHashMap<>();
      for (Path file : paths) {
        FileChannel channel = opened.open(file);
        Contents contents = reader.read(file, channel);
        tensors.putAll(contents.tensors());
        if (opened.files.size() == 1) {
          opened.metadata = contents.metadata();
        }
      }
      opened.tensors = Collections.unmodifiableMap(tensors);
      return opened;
    } catch (Throwable e) {
      opened.resources.closeAfter(e);
      throw e;
    }
  }

  /**
   * Opens the files of some tensors and checks that these lie within them.
   *
   * @param places tensors of different names
   * @return the open tensors, by file and offset; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if a tensor lies beyond the end of its file
   */
  public static PlacedTensors open(Collection<TensorInfo> places) throws IOException {
    return open(List.of(), places, Map.of(), Optional.empty());
  }

  /**
   * Opens the files of some tensors and checks that these lie within them.
   *
   * @param paths files that come first among {@link #files()}, whether tensors lie in them or not
   * @param places tensors of different names
   * @param metadata strings that go with them
   * @param remark what to add to messages about tensors that are missed
   * @return the open tensors, by file and offset; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if a tensor lies beyond the end of its file
   */
  public static PlacedTensors open(
      List<Path> paths,
      Collection<TensorInfo> places,
      Map<String, String> metadata,
      Optional<String> remark)
      throws IOException {
    PlacedTensors opened = new PlacedTensors();
    opened.metadata = metadata;
    opened.remark = remark;
    try {
      for (Path file : paths) {
        opened.open(file);
      }
      for (TensorInfo place : places) {
        opened.addPlace(place);
        for (TensorInfo companion : place.encoding().companions()) {
          opened.addPlace(companion);
        }
      }
      List<Path> order = List.copyOf(opened.files.keySet());
      Map<String, TensorInfo> tensors = new LinkedHashMap<>();
      places.stream()
          .sorted(
              Comparator.comparingInt((TensorInfo t) -> order.indexOf(t.file()))
                  .thenComparingLong(TensorInfo::offset))
          .forEach(place -> tensors.put(place.name(), place));
      opened.tensors = Collections.unmodifiableMap(tensors);
      return opened;
    } catch (Throwable e) {
      opened.resources.closeAfter(e);
      throw e;
    }
  }

  private FileChannel open(Path file) throws IOException {
    InputFile.checkRegular(file);
    FileTime modified = Files.getLastModifiedTime(file);
    FileChannel channel = resources.add(FileChannel.open(file, StandardOpenOption.READ));
    files.put(file, new Opened(resources.add(new MappedFile(file, channel)), modified));
    return channel;
  }

  private void addPlace(TensorInfo place) throws IOException {
    if (!files.containsKey(place.file())) {
      open(place.file());
    }
    long fileSize = files.get(place.file()).mapping().size();
    if (place.offset() < 0 || place.length() < 0 || place.offset() > fileSize - place.length()) {
      throw new FileFormatException(
          place.file()
              + ": tensor '"
              + place.name()
              + "': expected "
              + place.length()
              + " bytes from position "
              + place.offset()
              + ", but the file ends at "
              + fileSize
              + "; it was cut short: copy it again");
    }
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  @Override
  public Map<String, String> metadata() {
    return metadata;
  }

  @Override
  public List<Path> files() {
    return List.copyOf(files.keySet());
  }

  @Override
  public Optional<String> remark() {
    return remark;
  }

  @Override
  public Tensor tensor(String name) throws IOException {
    TensorInfo info = require(name);
    if (!info.encoding().isPlain()) {
      throw new IllegalArgumentException(
          info + ": these are no plain elements; read them as floats instead");
    }
    return Tensor.view(
        info.type(),
        info.shape(),
        (position, length) -> bytes.map(info, position, length),
        info.file() + ": " + name);
  }

  @Override
  public void readFloats(String name, long first, float[] target, int offset, int count)
      throws IOException {
    TensorInfo info = require(name);
    Objects.checkFromIndexSize(first, count, info.shape().elementCount());
    Objects.checkFromIndexSize(offset, count, target.length);
    info.encoding().toFloats(info, bytes, first, target, offset, count);
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    bytes.read(require(name), position, target);
  }

  @Override
  public WeightEncoding.StoredBytes bytes() {
    return bytes;
  }

  /** What lies at the places of tensors and their companions. */
  private final class Bytes implements WeightEncoding.StoredBytes {

    @Override
    public void read(TensorInfo place, long position, ByteBuffer target) throws IOException {
      mapping(place, position, target.remaining())
          .read(place.name(), place.offset() + position, target);
    }

    @Override
    public ByteBuffer map(TensorInfo place, long position, int length) {
      return mapping(place, position, length)
          .slice(place.name(), place.offset() + position, length)
          .order(ByteOrder.LITTLE_ENDIAN);
    }

    private MappedFile mapping(TensorInfo place, long position, int length) {
      if (position < 0 || position > place.length() - length) {
        throw new IllegalArgumentException(length + " bytes from " + position + " exceed " + place);
      }
      Opened file = files.get(place.file());
      if (file == null) {
        throw new IllegalArgumentException(place + ": not one of " + files.keySet());
      }
      return file.mapping();
    }
  }

  @Override
  public void checkUnchanged() throws IOException {
    for (Map.Entry<Path, Opened> entry : files.entrySet()) {
      Path file = entry.getKey();
      Opened opened = entry.getValue();
      long sizeNow = Files.size(file);
      FileTime modifiedNow = Files.getLastModifiedTime(file);
      if (sizeNow != opened.mapping().size() || !modifiedNow.equals(opened.modified())) {
        throw new FileFormatException(
            file
                + ": changed while it was open (expected "
                + opened.mapping().size()
                + " bytes of "
                + opened.modified()
                + ", found "
                + sizeNow
                + " of "
                + modifiedNow
                + "); open it again");
      }
    }
  }

  @Override
  public Set<Path> displacedFiles() throws IOException {
    Set<Path> displaced = new LinkedHashSet<>();
    for (Map.Entry<Path, Opened> entry : files.entrySet()) {
      if (entry.getValue().mapping().isDisplaced()) {
        displaced.add(entry.getKey());
      }
    }
    return displaced;
  }

  private TensorInfo require(String name) {
    TensorInfo info = tensors.get(name);
    if (info == null) {
      throw new IllegalArgumentException(files.keySet() + " hold no tensor '" + name + "'");
    }
    files.get(info.file()).mapping().checkOpen();
    return info;
  }

  @Override
  public void close() throws IOException {
    resources.close();
  }
}
