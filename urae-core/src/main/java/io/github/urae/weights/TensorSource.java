package io.github.urae.weights;

import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

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
   * Views a tensor of plain elements where it lies.
   *
   * @param name one of {@link #tensors()}
   * @return a view of the file's bytes, not a copy, valid until this source is closed
   * @throws IOException if the file cannot be looked at
   * @throws IllegalArgumentException if there is no such tensor, or its {@linkplain
   *     TensorInfo#encoding() encoding} is not {@linkplain WeightEncoding#isPlain() plain}: read
   *     its values instead
   * @throws IllegalStateException if this source is closed
   */
  Tensor tensor(String name) throws IOException;

  /**
   * Reads values of a tensor, whatever its encoding and size.
   *
   * @param name one of {@link #tensors()}
   * @param first index of the first element, row-major
   * @param target receives the values
   * @param offset index of the first value in {@code target}
   * @param count number of elements
   * @throws IOException if reading fails
   * @throws IllegalArgumentException if there is no such tensor, or its values have no conversion
   *     to float32
   * @throws IndexOutOfBoundsException if the tensor or the target ends before
   * @throws io.github.urae.FileFormatException if the file was cut short or is damaged
   * @throws IllegalStateException if this source is closed
   */
  void readFloats(String name, long first, float[] target, int offset, int count)
      throws IOException;

  /**
   * Reads whole rows of a tensor, those of its last dimension.
   *
   * @param name one of {@link #tensors()}
   * @param firstRow number of the first row, from 0
   * @param rows number of rows
   * @param target receives the values, row after row
   * @param offset index of the first value in {@code target}
   * @throws IOException if reading fails
   * @throws RuntimeException as for {@link #readFloats}
   */
  default void readRows(String name, long firstRow, int rows, float[] target, int offset)
      throws IOException {
    long columns = find(name).map(TensorInfo::columns).orElse(0L);
    readFloats(
        name,
        Math.multiplyExact(firstRow, columns),
        target,
        offset,
        Math.toIntExact(Math.multiplyExact(rows, columns)));
  }

  /**
   * Reads stored bytes at a tensor's place, which are its elements only if its encoding is
   * {@linkplain WeightEncoding#isPlain() plain}.
   *
   * @param name one of {@link #tensors()}
   * @param position offset of the first byte from the tensor's place
   * @param target filled from its position to its limit
   * @throws IOException if reading fails
   * @throws IllegalArgumentException if there is no such tensor or it ends before the target is
   *     full
   * @throws io.github.urae.FileFormatException if the file ends early
   * @throws IllegalStateException if this source is closed
   */
  void read(String name, long position, ByteBuffer target) throws IOException;

  /**
   * Returns the files' bytes as {@linkplain WeightEncoding encodings} read them, for what needs
   * more of a weight than its values: its scales, for instance.
   *
   * @return the bytes at the places of this source's tensors and their companions, valid until this
   *     source is closed
   */
  WeightEncoding.StoredBytes bytes();

  /**
   * Checks that no file was replaced, changed or cut short since it was opened.
   *
   * @throws IOException if a file cannot be looked at any more
   * @throws io.github.urae.FileFormatException if a file's size or modification time changed
   */
  void checkUnchanged() throws IOException;

  /**
   * Returns the files that are not found under their paths any more, since they were deleted or
   * others took their place. Their tensors stay readable here, where the system has no files
   * without a name (Windows) because it refuses to delete them.
   *
   * @return some of {@link #files()}; mostly none
   * @throws IOException if a file cannot be looked at
   * @throws io.github.urae.FileFormatException if a file was changed or cut short where it lies:
   *     its bytes must not be touched any more
   */
  Set<Path> displacedFiles() throws IOException;

  /**
   * Returns what is known of one tensor.
   *
   * @param name a name
   * @return the tensor's place, encoding and shape, or empty if there is none of that name
   */
  default Optional<TensorInfo> find(String name) {
    return Optional.ofNullable(tensors().get(name));
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
