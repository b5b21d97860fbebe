package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Tensors at known places of files of any format, memory-mapped. Places may overlap: several names
 * may share bytes.
 */
public final class PlacedTensors implements TensorSource {

  /** A file as it was when it was opened. */
  private record Opened(MappedFile mapping, long size, FileTime modified) {}

  private final Map<String, TensorInfo> tensors;
  private final Map<Path, Opened> files;
  private final OwnedResources resources;

  private PlacedTensors(
      Map<String, TensorInfo> tensors, Map<Path, Opened> files, OwnedResources resources) {
    this.tensors = tensors;
    this.files = files;
    this.resources = resources;
  }

  /**
   * Opens the files of some tensors and checks that these lie within them.
   *
   * @param places one or more tensors of different names
   * @return the open tensors; the caller closes them
   * @throws IOException if a file is missing or cannot be read
   * @throws FileFormatException if a tensor lies beyond the end of its file
   */
  public static PlacedTensors open(Collection<TensorInfo> places) throws IOException {
    Map<Path, Map<String, TensorInfo>> byFile = new LinkedHashMap<>();
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    for (TensorInfo place :
        places.stream().sorted(Comparator.comparing(t -> t.offset())).toList()) {
      byFile.computeIfAbsent(place.file(), f -> new LinkedHashMap<>()).put(place.name(), place);
    }
    OwnedResources opened = new OwnedResources();
    try {
      Map<Path, Opened> files = new LinkedHashMap<>();
      for (Map.Entry<Path, Map<String, TensorInfo>> entry : byFile.entrySet()) {
        Path file = entry.getKey();
        FileTime modified = Files.getLastModifiedTime(file);
        FileChannel channel = opened.add(FileChannel.open(file, StandardOpenOption.READ));
        for (TensorInfo place : entry.getValue().values()) {
          checkInside(place, channel.size());
        }
        MappedFile mapping = opened.add(new MappedFile(channel, entry.getValue().values()));
        files.put(file, new Opened(mapping, channel.size(), modified));
        tensors.putAll(entry.getValue());
      }
      return new PlacedTensors(Collections.unmodifiableMap(tensors), files, opened);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  private static void checkInside(TensorInfo place, long fileSize) {
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
    return Map.of();
  }

  @Override
  public List<Path> files() {
    return List.copyOf(files.keySet());
  }

  @Override
  public Tensor tensor(String name) throws IOException {
    TensorInfo info = require(name);
    MappedFile mapping = files.get(info.file()).mapping();
    return Tensor.view(
        info.type(),
        info.shape(),
        mapping.slice(info),
        info.file() + ": " + name,
        () -> mapping.checkReadable(info));
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    TensorInfo info = require(name);
    if (position < 0 || position + target.remaining() > info.length()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from " + position + " exceed " + info);
    }
    MappedFile mapping = files.get(info.file()).mapping();
    long at = info.offset() + position;
    while (target.hasRemaining()) {
      int count = mapping.read(target, at);
      if (count < 0) {
        throw new FileFormatException(
            info.file() + ": tensor '" + name + "': the file was cut short while it was open");
      }
      at += count;
    }
  }

  @Override
  public void checkUnchanged() throws IOException {
    for (Map.Entry<Path, Opened> entry : files.entrySet()) {
      Path file = entry.getKey();
      Opened opened = entry.getValue();
      if (Files.size(file) != opened.size()
          || !Files.getLastModifiedTime(file).equals(opened.modified())) {
        throw new FileFormatException(file + ": changed while it was open; open it again");
      }
    }
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
