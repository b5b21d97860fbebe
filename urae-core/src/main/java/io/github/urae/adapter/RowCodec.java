package io.github.urae.adapter;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Elements;
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

  /**
   * Reads a stored row.
   *
   * @param bytes little-endian; the row begins at {@code offset}
   * @param target receives it
   * @param targetRow as which row
   */
  void read(ElementType type, ByteBuffer bytes, int offset, RowBlock target, int targetRow) {
    if (split) {
      ints(bytes, offset).get(pairs);
      separate(pairs, evens, odds);
      target.putBits(targetRow, evens, odds);
    } else {
      Elements.toFloats(type, bytes.slice(offset, rowBytes(type)), row, 0, columns);
      target.putFloats(targetRow, row, 0);
    }
  }

  /**
   * Writes a row, rounded to nearest, ties to even.
   *
   * @param bytes little-endian; the row begins at {@code offset}
   */
  void write(RowBlock source, int sourceRow, ElementType type, ByteBuffer bytes, int offset) {
    if (split) {
      source.getBits(sourceRow, evens, odds);
      join(evens, odds, pairs);
      ints(bytes, offset).put(pairs);
    } else {
      source.getFloats(sourceRow, row, 0);
      Elements.fromFloats(type, row, 0, columns, bytes.slice(offset, rowBytes(type)));
    }
  }

  private int rowBytes(ElementType type) {
    return Math.toIntExact(type.byteSize(columns));
  }

  private IntBuffer ints(ByteBuffer bytes, int offset) {
    return bytes.slice(offset, columns * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
  }

  // Loops in methods of their own, over whole arrays. HotSpot 17 vectorises each by itself; where
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
