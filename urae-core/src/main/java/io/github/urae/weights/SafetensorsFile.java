package io.github.urae.weights;

import io.github.urae.FileFormatException;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.internal.MappedFile;
import io.github.urae.weights.internal.SafetensorsHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;

/**
 * One safetensors file, memory-mapped. Opening reads the header only; a tensor's bytes are paged in
 * where they are looked at.
 */
public final class SafetensorsFile implements TensorSource {

  private final Path path;
  private final SafetensorsHeader header;
  private final MappedFile mapping;
  private final long size;
  private final FileTime modified;

  private SafetensorsFile(
      Path path, SafetensorsHeader header, MappedFile mapping, long size, FileTime modified) {
    this.path = path;
    this.header = header;
    this.mapping = mapping;
    this.size = size;
    this.modified = modified;
  }

  /**
   * Opens a file and checks its header against every rule of the format.
   *
   * @param path a {@code .safetensors} file
   * @return the open file; the caller closes it
   * @throws IOException if the file is missing or cannot be read
   * @throws FileFormatException if the file breaks the format
   */
  public static SafetensorsFile open(Path path) throws IOException {
    FileTime modified = Files.getLastModifiedTime(path);
    OwnedResources opened = new OwnedResources();
    try {
      FileChannel channel = opened.add(FileChannel.open(path, StandardOpenOption.READ));
      SafetensorsHeader header = SafetensorsHeader.read(path, channel);
      MappedFile mapping = new MappedFile(channel, header.tensors().values());
      return new SafetensorsFile(path, header, mapping, channel.size(), modified);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Returns the file's path.
   *
   * @return as given to {@link #open}
   */
  public Path path() {
    return path;
  }

  @Override
  public Map<String, TensorInfo> tensors() {
    return header.tensors();
  }

  @Override
  public Map<String, String> metadata() {
    return header.metadata();
  }

  @Override
  public List<Path> files() {
    return List.of(path);
  }

  @Override
  public Tensor tensor(String name) throws IOException {
    TensorInfo info = require(name);
    if (info.length() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          info + " takes " + info.length() + " bytes, more than one Java buffer holds; use read");
    }
    return Tensor.view(
        info.type(),
        info.shape(),
        mapping.slice(info),
        path + ": " + name,
        () -> mapping.checkReadable(info));
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    TensorInfo info = require(name);
    if (position < 0 || position + target.remaining() > info.length()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes from " + position + " exceed " + info);
    }
    long at = info.offset() + position;
    while (target.hasRemaining()) {
      int count = mapping.read(target, at);
      if (count < 0) {
        throw new FileFormatException(
            path + ": tensor '" + name + "': the file was cut short while it was open");
      }
      at += count;
    }
  }

  @Override
  public void checkUnchanged() throws IOException {
    long sizeNow = Files.size(path);
    FileTime modifiedNow = Files.getLastModifiedTime(path);
    if (sizeNow != size || !modifiedNow.equals(modified)) {
      throw new FileFormatException(
          path
              + ": changed while it was open (expected "
              + size
              + " bytes of "
              + modified
              + ", found "
              + sizeNow
              + " of "
              + modifiedNow
              + "); open it again");
    }
  }

  private TensorInfo require(String name) {
    mapping.checkOpen();
    TensorInfo info = header.tensors().get(name);
    if (info == null) {
      throw new IllegalArgumentException(path + " holds no tensor '" + name + "'");
    }
    return info;
  }

  @Override
  public void close() throws IOException {
    mapping.close();
  }
}
