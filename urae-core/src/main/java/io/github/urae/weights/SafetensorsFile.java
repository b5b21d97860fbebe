package io.github.urae.weights;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.SafetensorsHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One safetensors file, memory-mapped. Opening reads the header only; a tensor's bytes are paged in
 * where they are looked at.
 */
public final class SafetensorsFile implements TensorSource {

  private final Path path;
  private final PlacedTensors placed;

  private SafetensorsFile(Path path, PlacedTensors placed) {
    this.path = path;
    this.placed = placed;
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
    return new SafetensorsFile(path, PlacedTensors.read(List.of(path), SafetensorsHeader::read));
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
    return placed.tensors();
  }

  @Override
  public Map<String, String> metadata() {
    return placed.metadata();
  }

  @Override
  public List<Path> files() {
    return placed.files();
  }

  @Override
  public Tensor tensor(String name) throws IOException {
    return placed.tensor(name);
  }

  @Override
  public void readFloats(String name, long first, float[] target, int offset, int count)
      throws IOException {
    placed.readFloats(name, first, target, offset, count);
  }

  @Override
  public void read(String name, long position, ByteBuffer target) throws IOException {
    placed.read(name, position, target);
  }

  @Override
  public WeightEncoding.StoredBytes bytes() {
    return placed.bytes();
  }

  @Override
  public void checkUnchanged() throws IOException {
    placed.checkUnchanged();
  }

  @Override
  public Set<Path> displacedFiles() throws IOException {
    return placed.displacedFiles();
  }

  @Override
  public void close() throws IOException {
    placed.close();
  }
}
