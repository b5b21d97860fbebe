package io.github.urae.weights.internal.gguf;

import io.github.urae.internal.FileReplacement;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.internal.ByteSink;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Writes GGUF files of version 3 tensor by tensor, in types that values can be rounded to: plain
 * ones, Q8_0 and Q4_0. The file is written under another name and renamed when it is whole.
 */
public final class GgufWriter {

  /** Values that are rounded at once; a multiple of every block. */
  private static final int PIECE = 1 << 14;

  /** Numbers of metadata types. */
  private static final int U32 = 4;

  private static final int STRING = 8;

  /**
   * What a file will hold under one name.
   *
   * @param name of the tensor
   * @param type F32, F16, BF16, F64, Q8_0 or Q4_0
   * @param shape dimensions, outermost first; rows of whole blocks
   */
  public record Declaration(String name, GgmlType type, Shape shape) {

    /**
     * Returns the number of bytes the tensor takes.
     *
     * @return its size, without what fills it up
     */
    public long byteSize() {
      return type.encoding().byteSize(shape);
    }
  }

  /** Gives the values of tensors. */
  @FunctionalInterface
  public interface Values {

    /**
     * Gives all values of a tensor.
     *
     * @param name of the tensor
     * @param sink takes them as float32, little-endian, row-major, in pieces of any whole number
     * @throws IOException if they cannot be read or written
     */
    void writeTo(String name, ByteSink sink) throws IOException;
  }

  private final FileChannel channel;
  private long position;

  private GgufWriter(FileChannel channel) {
    this.channel = channel;
  }

  /**
   * Writes a file.
   *
   * @param target where it will be; what is there is replaced
   * @param metadata strings, and integers below 2^32
   * @param tensors the tensors, in order
   * @param values gives what is in them
   * @throws IOException if reading or writing fails; the target is then as it was
   */
  public static void write(
      Path target, Map<String, Object> metadata, List<Declaration> tensors, Values values)
      throws IOException {
    byte[] header = header(metadata, tensors);
    FileReplacement.replace(
        target,
        () -> OptionalLong.of(byteSize(metadata, tensors)),
        temporary -> {
          try (FileChannel channel =
              FileChannel.open(
                  temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            FileReplacement.lockIfPossible(channel);
            GgufWriter writer = new GgufWriter(channel);
            writer.put(ByteBuffer.wrap(header));
            for (Declaration tensor : tensors) {
              writer.fillUp();
              writer.put(tensor, values);
            }
            writer.fillUp();
          }
        });
  }

  /**
   * Returns how many bytes a file takes.
   *
   * @param metadata as for {@link #write}
   * @param tensors as for {@link #write}
   * @return its size
   */
  public static long byteSize(Map<String, Object> metadata, List<Declaration> tensors) {
    long size = aligned(header(metadata, tensors).length);
    for (Declaration tensor : tensors) {
      size += aligned(tensor.byteSize());
    }
    return size;
  }

  private static long aligned(long position) {
    return (position + GgufHeader.ALIGNMENT - 1) / GgufHeader.ALIGNMENT * GgufHeader.ALIGNMENT;
  }

  private static byte[] header(Map<String, Object> metadata, List<Declaration> tensors) {
    ByteArrayOutputStream header = new ByteArrayOutputStream();
    putInt(header, GgufHeader.MAGIC);
    putInt(header, GgufHeader.VERSION);
    putLong(header, tensors.size());
    putLong(header, metadata.size());
    metadata.forEach(
        (key, value) -> {
          putString(header, key);
          if (value instanceof Integer number) {
            putInt(header, U32);
            putInt(header, number);
          } else {
            putInt(header, STRING);
            putString(header, (String) value);
          }
        });
    long offset = 0;
    for (Declaration tensor : tensors) {
      putString(header, tensor.name());
      long[] dimensions = tensor.shape().toArray();
      putInt(header, dimensions.length);
      for (int i = dimensions.length - 1; i >= 0; i--) {
        putLong(header, dimensions[i]);
      }
      putInt(header, tensor.type().id());
      putLong(header, offset);
      offset += aligned(tensor.byteSize());
    }
    return header.toByteArray();
  }

  private static void putInt(ByteArrayOutputStream header, int value) {
    header.writeBytes(
        ByteBuffer.wrap(new byte[Integer.BYTES])
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(value)
            .array());
  }

  private static void putLong(ByteArrayOutputStream header, long value) {
    header.writeBytes(
        ByteBuffer.wrap(new byte[Long.BYTES])
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(value)
            .array());
  }

  private static void putString(ByteArrayOutputStream header, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    putLong(header, bytes.length);
    header.writeBytes(bytes);
  }

  private void put(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      position += channel.write(bytes, position);
    }
  }

  private void fillUp() throws IOException {
    put(ByteBuffer.allocate((int) (aligned(position) - position)));
  }

  private void put(Declaration tensor, Values values) throws IOException {
    Rounding rounding = new Rounding(tensor.type());
    values.writeTo(tensor.name(), rounding);
    rounding.flush();
    if (rounding.taken != tensor.shape().elementCount()) {
      throw new IllegalStateException(
          "tensor '"
              + tensor.name()
              + "' has "
              + tensor.shape().elementCount()
              + " values, got "
              + rounding.taken);
    }
  }

  /** Collects values, rounds them and writes them. */
  private final class Rounding implements ByteSink {

    private final GgmlType type;
    private final float[] collected = new float[PIECE];
    private final byte[] rounded = new byte[PIECE * Double.BYTES];
    private int count;
    private long taken;

    Rounding(GgmlType type) {
      this.type = type;
    }

    @Override
    public void accept(ByteBuffer piece) throws IOException {
      ByteBuffer values = piece.slice().order(ByteOrder.LITTLE_ENDIAN);
      while (values.hasRemaining()) {
        int next = Math.min(PIECE - count, values.remaining() / Float.BYTES);
        values.slice().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(collected, count, next);
        values.position(values.position() + next * Float.BYTES);
        count += next;
        taken += next;
        if (count == PIECE) {
          flush();
        }
      }
    }

    void flush() throws IOException {
      int bytes =
          switch (type) {
            case Q8_0 -> blocks(BlockQuantiser::q80);
            case Q4_0 -> blocks(BlockQuantiser::q40);
            default -> {
              ByteBuffer target = ByteBuffer.wrap(rounded);
              Elements.fromFloats(type.encoding().valueType(), collected, 0, count, target);
              yield target.position();
            }
          };
      put(ByteBuffer.wrap(rounded, 0, bytes));
      count = 0;
    }

    private int blocks(BlockQuantiser quantiser) {
      int blocks = count / BlockQuantiser.ELEMENTS;
      int size = Math.toIntExact(type.encoding().byteSize(Shape.of(BlockQuantiser.ELEMENTS)));
      for (int block = 0; block < blocks; block++) {
        quantiser.write(collected, block * BlockQuantiser.ELEMENTS, rounded, block * size);
      }
      return blocks * size;
    }
  }
}
