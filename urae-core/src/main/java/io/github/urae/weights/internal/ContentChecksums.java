package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter.Declaration;
import io.github.urae.weights.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/**
 * Checksums of a derived file, which is a safetensors file with one tensor more, the last: the
 * CRC-32C of what all other tensors are, then of each block of their bytes, then of all these
 * numbers, little-endian.
 *
 * <p>A file of up to {@value #SAMPLED_BLOCKS} blocks is checked whole. Of a larger one that many
 * blocks are, others each time: if a part {@code p} of the blocks is damaged, that is found with
 * probability {@code 1 - (1 - p)^64} (1 % damaged: 47 %; 5 %: 96 %). What is cut short, and damage
 * to the header or the checksums themselves, is always found.
 */
final class ContentChecksums {

  /** How much of a file is read. */
  enum Depth {
    SAMPLED,
    WHOLE
  }

  /** The name of the tensor that holds them. */
  static final String TENSOR = "urae.checksums";

  static final int BLOCK_BYTES = 1 << 18;
  static final int SAMPLED_BLOCKS = 64;

  private final ByteBuffer table;
  private final CRC32C block = new CRC32C();
  private int inBlock;

  /**
   * Starts the checksums of a file to be.
   *
   * @param tensors all others that it will hold
   */
  ContentChecksums(List<Declaration> tensors) {
    long bytes = tensors.stream().mapToLong(Declaration::byteSize).sum();
    table = ByteBuffer.allocate(Math.toIntExact(tableBytes(bytes))).order(ByteOrder.LITTLE_ENDIAN);
    table.putInt(checksumOf(tensors));
  }

  /** Returns what the tensor of the checksums is declared as. */
  Declaration declaration() {
    return new Declaration(TENSOR, ElementType.U8, Shape.of(table.capacity()));
  }

  /** Adds the next bytes of the tensors, in their order in the file. Leaves the buffer as it is. */
  void add(ByteBuffer bytes) {
    ByteBuffer view = bytes.duplicate();
    while (view.hasRemaining()) {
      int count = Math.min(BLOCK_BYTES - inBlock, view.remaining());
      block.update(view.slice(view.position(), count));
      view.position(view.position() + count);
      inBlock += count;
      if (inBlock == BLOCK_BYTES) {
        endBlock();
      }
    }
  }

  private void endBlock() {
    table.putInt((int) block.getValue());
    block.reset();
    inBlock = 0;
  }

  /** Returns the content of the tensor after all others' bytes were added. To be called once. */
  ByteBuffer finish() {
    if (inBlock > 0) {
      endBlock();
    }
    table.putInt(checksumOf(table.array(), table.position()));
    return table.flip();
  }

  private static long tableBytes(long dataBytes) {
    long blocks = (dataBytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    return Integer.BYTES * (blocks + 2);
  }

  private static int checksumOf(byte[] bytes, int length) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, length);
    return (int) checksum.getValue();
  }

  /** Of names, types and shapes; the order is that of the bytes but for tensors without any. */
  private static int checksumOf(Collection<Declaration> tensors) {
    String text =
        tensors.stream()
            .map(tensor -> tensor.name() + '\n' + tensor.type() + '\n' + tensor.shape())
            .sorted()
            .collect(Collectors.joining("\n"));
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return checksumOf(bytes, bytes.length);
  }

  /**
   * Checks a file. Nothing of it is mapped.
   *
   * @param file an open safetensors file
   * @param depth how much of it is read
   * @throws IOException if it cannot be read
   * @throws FileFormatException if it is not what was written
   */
  static void check(SafetensorsFile file, Depth depth) throws IOException {
    TensorInfo last = file.tensors().get(TENSOR);
    if (last == null) {
      throw new FileFormatException(file.path() + ": holds no checksums");
    }
    Map<String, TensorInfo> tensors = file.tensors();
    long begin = tensors.values().stream().mapToLong(TensorInfo::offset).min().getAsLong();
    long dataBytes = last.offset() - begin;
    if (last.length() != tableBytes(dataBytes)) {
      throw new FileFormatException(
          file.path()
              + ": expected "
              + tableBytes(dataBytes)
              + " bytes of checksums, found "
              + last.length());
    }
    ByteBuffer table =
        ByteBuffer.allocate(Math.toIntExact(last.length())).order(ByteOrder.LITTLE_ENDIAN);
    file.read(TENSOR, 0, table);
    int end = table.flip().limit() - Integer.BYTES;
    expect(file, "the checksums", table.getInt(end), checksumOf(table.array(), end));
    List<Declaration> declared =
        tensors.values().stream()
            .filter(tensor -> !tensor.name().equals(TENSOR))
            .map(tensor -> new Declaration(tensor.name(), tensor.type(), tensor.shape()))
            .toList();
    expect(file, "the header", table.getInt(0), checksumOf(declared));
    try (FileChannel channel = FileChannel.open(file.path(), StandardOpenOption.READ)) {
      ByteBuffer buffer =
          ByteBuffer.allocateDirect((int) Math.min(Math.max(1, dataBytes), BLOCK_BYTES));
      int blocks = end / Integer.BYTES - 1;
      boolean whole = depth == Depth.WHOLE || blocks <= SAMPLED_BLOCKS;
      int checked = whole ? blocks : SAMPLED_BLOCKS;
      for (int i = 0; i < checked; i++) {
        int number = whole ? i : ThreadLocalRandom.current().nextInt(blocks);
        long position = (long) number * BLOCK_BYTES;
        buffer.clear().limit((int) Math.min(BLOCK_BYTES, dataBytes - position));
        readFully(file, channel, begin + position, buffer);
        CRC32C checksum = new CRC32C();
        checksum.update(buffer.flip());
        expect(
            file,
            "the bytes from position " + (begin + position),
            table.getInt((number + 1) * Integer.BYTES),
            (int) checksum.getValue());
      }
    }
  }

  private static void readFully(
      SafetensorsFile file, FileChannel channel, long position, ByteBuffer buffer)
      throws IOException {
    long start = position;
    while (buffer.hasRemaining()) {
      int count = channel.read(buffer, start + buffer.position());
      if (count < 0) {
        throw new FileFormatException(file.path() + ": was cut short");
      }
    }
  }

  private static void expect(SafetensorsFile file, String what, int expected, int found) {
    if (expected != found) {
      throw new FileFormatException(
          String.format(
              "%s: %s are not what was written: expected CRC-32C %08x, found %08x",
              file.path(), what, expected, found));
    }
  }
}
