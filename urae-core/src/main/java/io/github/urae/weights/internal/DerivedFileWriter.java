package io.github.urae.weights.internal;

import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.SafetensorsWriter.Declaration;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Writes a file of the cache, with its checksums. Not thread-safe. */
final class DerivedFileWriter implements Closeable {

  private final ContentChecksums checksums;
  private final SafetensorsWriter writer;

  /**
   * Starts a file.
   *
   * @param target where the whole file will be
   * @param metadata strings that go with the tensors
   * @param tensors in the order in which they will be written
   */
  DerivedFileWriter(Path target, Map<String, String> metadata, List<Declaration> tensors)
      throws IOException {
    checksums = new ContentChecksums(tensors);
    List<Declaration> all = new ArrayList<>(tensors);
    all.add(checksums.declaration());
    writer = SafetensorsWriter.create(target, metadata, all);
  }

  /** Writes the next bytes of a tensor. */
  void write(String tensor, ByteBuffer bytes) throws IOException {
    checksums.add(bytes);
    writer.write(tensor, bytes);
  }

  /** Completes the file, which is then on the disk and under its name. */
  void finish() throws IOException {
    writer.write(ContentChecksums.TENSOR, checksums.finish());
    writer.finish();
  }

  /** Deletes what was written unless the file is complete. */
  @Override
  public void close() throws IOException {
    writer.close();
  }
}
