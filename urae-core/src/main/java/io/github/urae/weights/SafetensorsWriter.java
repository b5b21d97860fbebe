package io.github.urae.weights;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.urae.internal.BoundedJson;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.internal.SafetensorsHeader;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Writes a safetensors file tensor by tensor, holding none of them.
 *
 * <p>Bytes go to a temporary file beside the target, {@code NAME.XXXX.partial}. {@link #finish()}
 * forces them to the disk and renames the file, so that the target is at all times either what it
 * was or whole. {@link #close()} without {@code finish()} deletes the temporary file; a killed
 * process leaves it behind, never the target. Runs of zeros are not written but left as holes where
 * the file system has them.
 *
 * <p>Not thread-safe.
 *
 * <pre>{@code
 * try (SafetensorsWriter writer = SafetensorsWriter.create(path, Map.of("format", "pt"), tensors)) {
 *   for (Declaration tensor : tensors) {
 *     writer.write(tensor.name(), bytesOf(tensor)); // once, or in several parts
 *   }
 *   writer.finish();
 * }
 * }</pre>
 */
public final class SafetensorsWriter implements Closeable {

  /** What a file will hold under one name. */
  public record Declaration(String name, ElementType type, Shape shape) {

    /**
     * Returns the number of bytes the tensor takes.
     *
     * @return its size
     */
    public long byteSize() {
      return type.byteSize(shape.elementCount());
    }
  }

  /**
   * Data starts at a multiple of this: a cache line, so that mapped rows can be used as they are.
   */
  private static final int DATA_ALIGNMENT = 64;

  /** Granularity at which runs of zeros become holes. */
  private static final int HOLE_BYTES = 64 * 1024;

  /** Taken at once from tensors that may be larger than a buffer. */
  private static final int PIECE_BYTES = 1 << 26;

  private static final JsonFactory JSON = BoundedJson.factory().build();

  private final Path target;
  private final Path temporary;
  private final FileChannel channel;
  private final List<Declaration> declarations;

  /** Bytes of the whole file. */
  private final long size;

  private int current;
  private long writtenOfCurrent;
  private long position;
  private boolean finished;
  private boolean closed;

  private SafetensorsWriter(
      Path target, Path temporary, FileChannel channel, List<Declaration> declarations, long size) {
    this.target = target;
    this.temporary = temporary;
    this.channel = channel;
    this.declarations = declarations;
    this.size = size;
  }

  /**
   * Starts a file.
   *
   * @param target where the whole file will be; its folder must exist. A symbolic link stays, and
   *     what it leads to is replaced
   * @param metadata strings for {@code __metadata__}; none is written if empty
   * @param declarations the tensors, in the order in which they will be written
   * @return the writer; the caller closes it
   * @throws IOException if the temporary file cannot be created or written, or the target is a
   *     folder, device, pipe or socket
   * @throws IllegalArgumentException if two tensors have the same name, or a name is reserved
   */
  public static SafetensorsWriter create(
      Path target, Map<String, String> metadata, List<Declaration> declarations)
      throws IOException {
    ByteBuffer header = header(metadata, declarations);
    Path place = FileReplacement.place(target);
    FileReplacement.deleteStalePartials(place);
    Path temporary = FileReplacement.temporarySibling(place);
    long size = header.remaining() + declarations.stream().mapToLong(Declaration::byteSize).sum();
    OwnedResources opened = new OwnedResources();
    try {
      FileChannel channel =
          opened.add(
              FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
      SafetensorsWriter writer =
          opened.add(
              new SafetensorsWriter(place, temporary, channel, List.copyOf(declarations), size));
      FileReplacement.lockIfPossible(channel);
      writer.writeFully(header);
      writer.skipEmptyTensors();
      return writer;
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Writes a whole file at once.
   *
   * @param target where the file will be
   * @param metadata strings for {@code __metadata__}
   * @param tensors by name, in the order of the map
   * @throws IOException if writing fails; the target is then unchanged
   */
  public static void write(Path target, Map<String, String> metadata, Map<String, Tensor> tensors)
      throws IOException {
    List<Declaration> declarations = new ArrayList<>();
    tensors.forEach(
        (name, tensor) -> declarations.add(new Declaration(name, tensor.type(), tensor.shape())));
    try (SafetensorsWriter writer = create(target, metadata, declarations)) {
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        Tensor tensor = entry.getValue();
        for (long first = 0; first < tensor.byteSize(); first += PIECE_BYTES) {
          int count = (int) Math.min(PIECE_BYTES, tensor.byteSize() - first);
          writer.write(entry.getKey(), tensor.data(first, count));
        }
      }
      writer.finish();
    }
  }

  private static void writeArray(JsonGenerator out, long... values) throws IOException {
    out.writeArray(values, 0, values.length);
  }

  private static ByteBuffer header(Map<String, String> metadata, List<Declaration> declarations) {
    ByteArrayOutputStream json = new ByteArrayOutputStream();
    try (JsonGenerator out = JSON.createGenerator(json)) {
      out.writeStartObject();
      if (!metadata.isEmpty()) {
        out.writeObjectFieldStart(SafetensorsHeader.METADATA_KEY);
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          out.writeStringField(entry.getKey(), entry.getValue());
        }
        out.writeEndObject();
      }
      Set<String> names = new HashSet<>();
      long end = 0;
      for (Declaration tensor : declarations) {
        if (tensor.name().equals(SafetensorsHeader.METADATA_KEY) || !names.add(tensor.name())) {
          throw new IllegalArgumentException(
              "'" + tensor.name() + "' is reserved or declared twice");
        }
        long begin = end;
        end = Math.addExact(begin, tensor.byteSize());
        out.writeObjectFieldStart(tensor.name());
        out.writeStringField("dtype", tensor.type().name());
        out.writeFieldName("shape");
        writeArray(out, tensor.shape().toArray());
        out.writeFieldName("data_offsets");
        writeArray(out, begin, end);
        out.writeEndObject();
      }
      out.writeEndObject();
    } catch (IOException e) {
      throw new IllegalStateException("JSON in memory could not be written", e);
    }
    int unpadded = Long.BYTES + json.size();
    int padded = (unpadded + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    if (padded - Long.BYTES > SafetensorsHeader.MAX_HEADER_BYTES) {
      throw new IllegalArgumentException(
          "the header would take " + padded + " bytes, more than the format allows");
    }
    ByteBuffer header = ByteBuffer.allocate(padded).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(padded - Long.BYTES).put(json.toByteArray());
    while (header.hasRemaining()) {
      header.put((byte) ' ');
    }
    return header.flip();
  }

  /**
   * Writes the next bytes of a tensor.
   *
   * @param name the tensor whose turn it is
   * @param bytes its next bytes, from position to limit; the position advances to the limit
   * @throws IOException if writing fails
   * @throws IllegalStateException if it is another tensor's turn, or this one would get too long
   */
  public void write(String name, ByteBuffer bytes) throws IOException {
    if (!bytes.hasRemaining() && (current == declarations.size() || !isTurnOf(name))) {
      return; // An empty tensor is complete from the start.
    }
    if (current == declarations.size() || !isTurnOf(name)) {
      throw new IllegalStateException(
          "expected "
              + (current == declarations.size()
                  ? "no more tensors"
                  : "tensor '" + declarations.get(current).name() + "'")
              + ", got bytes of '"
              + name
              + "'");
    }
    Declaration tensor = declarations.get(current);
    if (writtenOfCurrent + bytes.remaining() > tensor.byteSize()) {
      throw new IllegalStateException(
          "tensor '" + name + "' takes " + tensor.byteSize() + " bytes, got more");
    }
    writtenOfCurrent += bytes.remaining();
    writeWithHoles(bytes);
    if (writtenOfCurrent == tensor.byteSize()) {
      current++;
      writtenOfCurrent = 0;
      skipEmptyTensors();
    }
  }

  private boolean isTurnOf(String name) {
    return declarations.get(current).name().equals(name);
  }

  private void skipEmptyTensors() {
    while (current < declarations.size() && declarations.get(current).byteSize() == 0) {
      current++;
    }
  }

  private void writeWithHoles(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      // Blocks are cut at multiples of the granularity within the file, as file systems cut theirs.
      int untilBoundary = HOLE_BYTES - (int) (position % HOLE_BYTES);
      int length = Math.min(untilBoundary, bytes.remaining());
      if (length == HOLE_BYTES && isZero(bytes, length)) {
        bytes.position(bytes.position() + length);
        position += length;
      } else {
        // As many blocks as possible in one call: up to the next one that is a hole.
        int end = length;
        while (end + HOLE_BYTES <= bytes.remaining()
            && !isZero(bytes.slice(bytes.position() + end, HOLE_BYTES), HOLE_BYTES)) {
          end += HOLE_BYTES;
        }
        if (bytes.remaining() - end < HOLE_BYTES) {
          end = bytes.remaining();
        }
        writeFully(bytes.slice(bytes.position(), end));
        bytes.position(bytes.position() + end);
      }
    }
  }

  private static boolean isZero(ByteBuffer bytes, int length) {
    ByteBuffer view = bytes.slice(bytes.position(), length);
    for (int i = 0; i < length; i += Long.BYTES) {
      if (view.getLong(i) != 0) {
        return false;
      }
    }
    return true;
  }

  private void writeFully(ByteBuffer bytes) throws IOException {
    try {
      while (bytes.hasRemaining()) {
        position += channel.write(bytes, position);
      }
    } catch (ClosedChannelException e) {
      throw e;
    } catch (IOException e) {
      throw notWritten(e);
    }
  }

  /** The system tells the reason alone. */
  private IOException notWritten(IOException cause) {
    return FileFailure.ofWriting(target, OptionalLong.of(size), cause);
  }

  /**
   * Completes the file: forces it to the disk and renames it to the target, replacing what was
   * there.
   *
   * @throws IOException if forcing or renaming fails; the target is then unchanged
   * @throws IllegalStateException if a tensor is missing or incomplete
   */
  public void finish() throws IOException {
    if (current < declarations.size()) {
      throw new IllegalStateException(
          "tensor '" + declarations.get(current).name() + "' has not been written completely");
    }
    try {
      extendOverTrailingHole();
      channel.force(true);
    } catch (ClosedChannelException e) {
      throw e;
    } catch (IOException e) {
      throw notWritten(e);
    }
    channel.close();
    FileReplacement.rename(temporary, target);
    finished = true;
  }

  private void extendOverTrailingHole() throws IOException {
    if (position > channel.size()) {
      channel.write(ByteBuffer.allocate(1), position - 1);
    }
  }

  /** Deletes the temporary file unless {@link #finish()} has made it the target. */
  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    try (channel) {
      // Closed before the file is deleted: Windows keeps open files.
    } finally {
      if (!finished) {
        FileReplacement.discard(temporary);
      }
    }
  }
}
