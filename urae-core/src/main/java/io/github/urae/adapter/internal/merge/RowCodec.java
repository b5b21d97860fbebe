package io.github.urae.adapter.internal.merge;

import io.github.urae.adapter.internal.algebra.RowBlock;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;

/**
 * Turns a row of stored elements into float32 and back, rounding once.
 *
 * <p>bfloat16 may be kept split: two elements at a time are taken as an int, the even columns come
 * first, then the odd ones. So every loop works on elements of one width, which is what HotSpot
 * turns into vector instructions. Not thread-safe.
 */
final class RowCodec {

  private static final int BFLOAT16_MASK = 0xFFFF0000;

  private final int columns;
  private final boolean split;
  private final float[] row;
  private final int[] pairs;
  private final int[] evens;
  private final int[] odds;

  /**
   * @param columns columns of the matrix
   * @param split whether even and odd columns are kept apart; every row that meets others must be
   *     kept in the same way
   */
  RowCodec(int columns, boolean split) {
    this.columns = columns;
    this.split = split;
    row = new float[split ? 0 : columns];
    pairs = new int[split ? columns / 2 : 0];
    evens = new int[pairs.length];
    odds = new int[pairs.length];
  }

  /** Tells whether rows read and written in these types are best kept split. */
  static boolean splits(int columns, ElementType from, ElementType to) {
    return from == ElementType.BF16 && to == ElementType.BF16 && columns % 2 == 0;
  }

  /** Brings the rows of a matrix, [rows, columns], from their own order into the split one. */
  static float[] split(float[] values, int columns) {
    float[] split = new float[values.length];
    int half = columns / 2;
    for (int start = 0; start < values.length; start += columns) {
      for (int i = 0; i < half; i++) {
        split[start + i] = values[start + 2 * i];
        split[start + half + i] = values[start + 2 * i + 1];
      }
    }
    return split;
  }

  /** Rows as they are stored, one after the other. */
  static final class Stored {

    private final ElementType type;
    private final ByteBuffer bytes;

    /** The same, made once: a view for every row takes longer than reading it. */
    private final IntBuffer pairs;

    /**
     * Takes a view.
     *
     * @param bytes from its beginning to its limit, little-endian
     */
    Stored(ElementType type, ByteBuffer bytes) {
      this.type = type;
      this.bytes = bytes;
      this.pairs = bytes.slice(0, bytes.limit()).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
    }

    private ByteBuffer row(int row, int columns) {
      int size = Math.toIntExact(type.byteSize(columns));
      return bytes.slice(row * size, size);
    }
  }

  /**
   * Reads a stored row.
   *
   * @param target receives it
   * @param targetRow as which row
   */
  void read(Stored source, int sourceRow, RowBlock target, int targetRow) {
    if (split) {
      source.pairs.get(sourceRow * pairs.length, pairs);
      separate(pairs, evens, odds);
      target.putBits(targetRow, evens, odds);
    } else {
      Elements.toFloats(source.type, source.row(sourceRow, columns), row, 0, columns);
      target.putFloats(targetRow, row, 0);
    }
  }

  /** Writes a row, rounded to nearest, ties to even. */
  void write(RowBlock source, int sourceRow, Stored target, int targetRow) {
    if (split) {
      source.getBits(sourceRow, evens, odds);
      join(evens, odds, pairs);
      target.pairs.put(targetRow * pairs.length, pairs);
    } else {
      source.getFloats(sourceRow, row, 0);
      Elements.fromFloats(target.type, row, 0, columns, target.row(targetRow, columns));
    }
  }

  // Loops in methods of their own, over whole arrays: HotSpot 17 vectorises each by itself. Where
  // an
  // index is shifted it does not, and takes ten times as long.

  private static void separate(int[] pairs, int[] evens, int[] odds) {
    for (int i = 0; i < pairs.length; i++) {
      evens[i] = pairs[i] << 16;
    }
    for (int i = 0; i < pairs.length; i++) {
      odds[i] = pairs[i] & BFLOAT16_MASK;
    }
  }

  /**
   * Rounds as {@link Elements#toBfloat16} does, but for NaNs with a payload in the lower half.
   * Those do not occur: arithmetic keeps the payload of the bfloat16 that a NaN came from.
   */
  private static void join(int[] evens, int[] odds, int[] pairs) {
    for (int i = 0; i < pairs.length; i++) {
      int even = evens[i];
      int odd = odds[i];
      int low = (even + 0x7FFF + ((even >>> 16) & 1)) >>> 16;
      int high = (odd + 0x7FFF + ((odd >>> 16) & 1)) & BFLOAT16_MASK;
      pairs[i] = low | high;
    }
  }
}
