package io.github.urae.weights;

import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Named tensors on disk: one safetensors file, a checkpoint in several shards, or other files seen
 * through the names of a checkpoint.
 *
 * <p>Thread-safe. The source owns its mappings; tensors obtained from it are valid until {@link
 * #close()}, which may be called twice.
 */
public interface TensorSource extends Closeable {

  /**
   * Returns what the source holds.
   *
   * @return immutable, by name, in order of file and offset
   */
  Map<String, TensorInfo> tensors();

  /**
   * Returns the metadata of the files, {@code __metadata__} in the header.
   *
   * @return immutable; of the first file where there are several
   */
  Map<String, String> metadata();

  /**
   * Returns the files that hold the tensors.
   *
   * @return at least one, as given by the user (links not resolved)
   */
  List<Path> files();

  /**
   * Maps a tensor.
   *
   * @param name one of {@link #tensors()}
   * @return a view of the file's bytes, not a copy, valid until this source is closed
   * @throws IOException if the file cannot be mapped
   * @throws IllegalArgumentException if there is no such tensor, or if it takes 2 GiB or more: read
   *     such a one in parts, with {@link #read}
   * @throws IllegalStateException if this source is closed
   */
  Tensor tensor(String name) throws IOException;

  /**
   * Reads a part of a tensor's bytes, for tensors of any size and without mapping them.
   *
   * @param name one of {@link #tensors()}
   * @param position offset of the first byte within the tensor
   * @param target filled from its position to its limit
   * @throws IOException if reading fails
   * @throws IllegalArgumentException if there is no such tensor or it ends before the target is
   *     full
   * @throws io.github.urae.FileFormatException if the file ends early
   * @throws IllegalStateException if this source is closed
   */
  void read(String name, long position, ByteBuffer target) throws IOException;

  /**
   * Checks that no file was replaced, changed or cut short since it was opened.
   *
   * @throws IOException if a file cannot be looked at any more
   * @throws io.github.urae.FileFormatException if a file's size or modification time changed
   */
  void checkUnchanged() throws IOException;

  /**
   * Returns what is known of one tensor.
   *
   * @param name a name
   * @return the tensor's place, type and shape, or empty if there is none of that name
   */
  default Optional<TensorInfo> find(String name) {
    return Optional.ofNullable(tensors().get(name));
  }

  /**
   * Tells how the bytes at a tensor's place in its file lie, for readers that go by {@link
   * TensorInfo} instead of asking for the tensor.
   *
   * @param name one of {@link #tensors()}
   * @return row-major in safetensors
   */
  default TensorLayout layout(String name) {
    return TensorLayout.ROW_MAJOR;
  }

  /**
   * Says what else should be known where a tensor is missed.
   *
   * @return for messages: which tensors the files lack, and why; empty in most cases
   */
  default Optional<String> remark() {
    return Optional.empty();
  }

  /** Releases all mappings. Tensors of this source must not be used any more. */
  @Override
  void close() throws IOException;
}
