package io.github.urae.weights.internal;

import io.github.urae.FileFormatException;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Rows in blocks, each of so many values in so many bytes, which say all that it takes to read
 * them: the types of GGUF, for instance. A row whose length is no multiple of a block ends with a
 * block that is filled up.
 *
 * <p>The values of a block are small integers times a scale, for each group of values within the
 * block, and in some encodings an offset is added. Operators that compute with blocks take these
 * parts; the values in float32 follow from them.
 *
 * <p>A new type is a class with a name, the {@linkplain Layout layout} of a block, and {@link
 * #decode}.
 */
public abstract class BlockEncoding implements WeightEncoding {

  /** Bytes read at once: they stay in the second cache until they are decoded. */
  private static final int PIECE_BYTES = 1 << 14;

  /**
   * What a block is made of.
   *
   * @param blockElements values in a block
   * @param blockBytes bytes of a block
   * @param groupElements values that share a scale; a divisor of {@code blockElements}
   * @param lowestCode the lowest integer that occurs, -128 or more
   * @param highestCode the highest integer that occurs, 127 or less
   * @param hasOffsets whether something is added after scaling
   */
  public record Layout(
      int blockElements,
      int blockBytes,
      int groupElements,
      int lowestCode,
      int highestCode,
      boolean hasOffsets) {

    /**
     * Tells whether a block has several groups, whose scales and offsets are integers times a
     * factor of the block.
     *
     * @return false where a block is one group
     */
    public boolean hasNestedScales() {
      return groupElements < blockElements;
    }
  }

  private final String name;
  private final Layout layout;

  /** With new arrays for each piece, the heap would grow with what is read. */
  private final ThreadLocal<Room> rooms = ThreadLocal.withInitial(this::room);

  /** A thread's memory, for pieces of whole blocks. */
  @SuppressWarnings("ArrayRecordComponent") // Room that is used anew, compared by nobody.
  private record Room(byte[] stored, CodedBlocks codes, float[] values) {}

  private Room room() {
    int blocks = Math.max(1, PIECE_BYTES / layout.blockBytes());
    return new Room(
        new byte[blocks * layout.blockBytes()],
        allocate(blocks),
        new float[blocks * layout.blockElements()]);
  }

  /**
   * Describes a type of block.
   *
   * @param name what people call it, such as {@code "Q8_0"}
   * @param layout of its blocks
   */
  protected BlockEncoding(String name, Layout layout) {
    this.name = name;
    this.layout = layout;
  }

  /**
   * Takes blocks apart.
   *
   * @param stored whole blocks from index 0 on
   * @param blocks their number
   * @param target receives the codes, scales and offsets of all blocks; where a block has several
   *     groups, by {@link CodedBlocks#setScale} and {@link CodedBlocks#setOffset}
   */
  protected abstract void decode(byte[] stored, int blocks, CodedBlocks target);

  @Override
  public final String name() {
    return name;
  }

  /**
   * Returns what a block is made of.
   *
   * @return its sizes, and the range of its integers
   */
  public final Layout layout() {
    return layout;
  }

  /** {@inheritDoc} Sums of products of two numbers need all of float32. */
  @Override
  public ElementType valueType() {
    return ElementType.F32;
  }

  @Override
  public final Optional<WeightEncoding> ofRows(Shape shape, long first, long count) {
    return Optional.of(this);
  }

  @Override
  public final long byteSize(Shape shape) {
    long columns = columns(shape);
    long rows = columns == 0 ? 0 : shape.elementCount() / columns;
    return Math.multiplyExact(
        rows, Math.multiplyExact(blocks(columns), (long) layout.blockBytes()));
  }

  private static long columns(Shape shape) {
    return shape.rank() == 0 ? 1 : shape.dimension(-1);
  }

  private long blocks(long columns) {
    return columns / layout.blockElements() + (columns % layout.blockElements() == 0 ? 0 : 1);
  }

  /**
   * Makes room for the parts of blocks.
   *
   * @param blocks the most that are read at once
   * @return to be filled by {@link #readCodes}
   */
  public final CodedBlocks allocate(int blocks) {
    int elements = Math.multiplyExact(blocks, layout.blockElements());
    int groups = elements / layout.groupElements();
    int offsets = layout.hasOffsets() ? groups : 0;
    boolean nested = layout.hasNestedScales();
    return new CodedBlocks(
        layout.groupElements(),
        new byte[elements],
        new float[groups],
        new float[offsets],
        new byte[nested ? groups : 0],
        new float[nested ? blocks : 0],
        new byte[nested ? offsets : 0],
        new float[nested && offsets > 0 ? blocks : 0]);
  }

  /**
   * Takes blocks of a tensor apart.
   *
   * @param tensor a tensor in this encoding, for messages
   * @param firstBlock number of the first of these blocks within the tensor, for messages
   * @param stored whole blocks from index 0 on, as the file holds them
   * @param blocks their number
   * @param target {@linkplain #allocate allocated} for as many or more
   * @throws FileFormatException if a scale or an offset is no finite number
   */
  public final void readCodes(
      TensorInfo tensor, long firstBlock, byte[] stored, int blocks, CodedBlocks target) {
    decode(stored, blocks, target);
    int groups = blocks * groupsOfBlock();
    if (!areFinite(target.scales(), groups)
        || !areFinite(target.offsets(), Math.min(groups, target.offsets().length))) {
      throw notFinite(tensor, firstBlock, target, groups);
    }
  }

  private int groupsOfBlock() {
    return layout.blockElements() / layout.groupElements();
  }

  private static boolean areFinite(float[] numbers, int count) {
    // An infinity or NaN makes the sum NaN, and nothing else does.
    float sum = 0;
    for (int i = 0; i < count; i++) {
      sum += numbers[i] * 0;
    }
    return sum == 0;
  }

  private FileFormatException notFinite(
      TensorInfo tensor, long firstBlock, CodedBlocks target, int groups) {
    int group = 0;
    while (group < groups - 1
        && Float.isFinite(target.scales()[group])
        && (target.offsets().length == 0 || Float.isFinite(target.offsets()[group]))) {
      group++;
    }
    long block = firstBlock + group / groupsOfBlock();
    String found =
        Float.isFinite(target.scales()[group])
            ? "the minimum " + target.offsets()[group]
            : "the scale " + target.scales()[group];
    return new FileFormatException(
        tensor.file()
            + ": tensor "
            + PrintableText.quoted(tensor.name())
            + ": expected blocks of "
            + name
            + " with finite scales, found "
            + found
            + " in block "
            + block
            + "; the file is damaged, or its converter failed: download it again");
  }

  @Override
  public final void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException {
    int blockElements = layout.blockElements();
    int blockBytes = layout.blockBytes();
    long columns = columns(tensor.shape());
    if (columns % blockElements == 0) {
      columns = tensor.shape().elementCount(); // Blocks of all rows follow one another.
    }
    Room room = rooms.get();
    byte[] stored = room.stored;
    int most = stored.length / blockBytes;
    long end = first + count;
    long at = first;
    while (at < end) {
      long column = at % columns;
      long block = at / columns * blocks(columns) + column / blockElements;
      int within = (int) (column % blockElements);
      long wanted = Math.min(columns - column, end - at);
      int number = (int) Math.min(most, (within + wanted + blockElements - 1) / blockElements);
      bytes.read(tensor, block * blockBytes, ByteBuffer.wrap(stored, 0, number * blockBytes));
      readCodes(tensor, block, stored, number, room.codes);
      room.codes.toFloats(number * groupsOfBlock(), room.values);
      int taken = (int) Math.min(wanted, (long) number * blockElements - within);
      System.arraycopy(room.values, within, target, (int) (offset + at - first), taken);
      at += taken;
    }
  }
}
