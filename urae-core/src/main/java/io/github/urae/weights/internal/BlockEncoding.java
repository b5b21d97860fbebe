package io.github.urae.weights.internal;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Rows in blocks, each of so many values in so many bytes, which say all that it takes to read
 * them: the types of GGUF, for instance. A row whose length is no multiple of a block ends with a
 * block that is filled up.
 *
 * <p>A new type is a class with a name, the size of a block, and {@link #decode}.
 */
public abstract class BlockEncoding implements WeightEncoding {

  /** Bytes read at once: they stay in the second cache until they are decoded. */
  private static final int PIECE_BYTES = 1 << 18;

  private final String name;
  private final int blockElements;
  private final int blockBytes;

  /**
   * Describes a type of block.
   *
   * @param name what people call it, such as {@code "Q8_0"}
   * @param blockElements values in a block
   * @param blockBytes bytes of a block
   */
  protected BlockEncoding(String name, int blockElements, int blockBytes) {
    this.name = name;
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
  }

  /**
   * Decodes blocks.
   *
   * @param stored whole blocks from position 0 on, little-endian
   * @param blocks their number
   * @param target receives the values of all blocks
   */
  protected abstract void decode(ByteBuffer stored, int blocks, float[] target);

  @Override
  public final String name() {
    return name;
  }

  /** {@inheritDoc} Sums of products of two numbers need all of float32. */
  @Override
  public ElementType valueType() {
    return ElementType.F32;
  }

  @Override
  public final boolean hasSeparateRows() {
    return true;
  }

  @Override
  public final long byteSize(Shape shape) {
    long columns = columns(shape);
    long rows = columns == 0 ? 0 : shape.elementCount() / columns;
    return Math.multiplyExact(rows, Math.multiplyExact(blocks(columns), (long) blockBytes));
  }

  private static long columns(Shape shape) {
    return shape.rank() == 0 ? 1 : shape.dimension(-1);
  }

  private long blocks(long columns) {
    return (columns + blockElements - 1) / blockElements;
  }

  @Override
  public final void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException {
    long columns = columns(tensor.shape());
    if (columns % blockElements == 0) {
      columns = tensor.shape().elementCount(); // Blocks of all rows follow one another.
    }
    int most = (int) Math.min(Math.max(1, PIECE_BYTES / blockBytes), blocks((long) count) + 1);
    ByteBuffer stored = ByteBuffer.allocate(most * blockBytes).order(ByteOrder.LITTLE_ENDIAN);
    float[] values = new float[most * blockElements];
    long end = first + count;
    long at = first;
    while (at < end) {
      long column = at % columns;
      long inRow = column / blockElements;
      long block = at / columns * blocks(columns) + inRow;
      int within = (int) (column % blockElements);
      long wanted = Math.min(columns - column, end - at);
      int number = (int) Math.min(most, (within + wanted + blockElements - 1) / blockElements);
      bytes.read(tensor, block * blockBytes, stored.clear().limit(number * blockBytes));
      decode(stored.flip(), number, values);
      int taken = (int) Math.min(wanted, (long) number * blockElements - within);
      System.arraycopy(values, within, target, (int) (offset + at - first), taken);
      at += taken;
    }
  }
}
