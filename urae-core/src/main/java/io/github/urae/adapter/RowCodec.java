package io.github.urae.adapter;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * Turns a row of stored elements into float32 tiles and back, rounding once. Tiles are short enough
 * for those of a few dozen rows to fit the processor's first cache.
 *
 * <p>bfloat16 is taken two elements at a time as an int: the tiles of the even columns come first,
 * then those of the odd ones. So every loop works on elements of one width, which is what HotSpot
 * turns into vector instructions. Not thread-safe.
 */
final class RowCodec {

  /** Columns of a tile: 16 rows of A take 32 KB. */
  static final int TILE = 512;

  private static final int BFLOAT16_MASK = 0xFFFF0000;

  private final int columns;
  private final boolean split;
  private final float[] row;
  private int[] pairs;
  private int[] evens;
  private int[] odds;
  private IntBuffer scratchInts;
  private FloatBuffer scratchFloats;

  /**
   * @param columns columns of the matrix
   * @param split whether even and odd columns are kept apart; every row that meets others must be
   *     kept in the same way
   */
  RowCodec(int columns, boolean split) {
    this.columns = columns;
    this.split = split;
    this.row = new float[columns];
    int part = split ? columns / 2 : columns;
    if (split) {
      pairs = new int[part];
      evens = new int[part];
      odds = new int[part];
      ByteBuffer scratch =
          ByteBuffer.allocateDirect(part * Integer.BYTES).order(ByteOrder.nativeOrder());
      scratchInts = scratch.asIntBuffer();
      scratchFloats = scratch.asFloatBuffer();
    }
  }

  /** Tells whether rows read and written in these types are best kept split. */
  static boolean splits(int columns, ElementType from, ElementType to) {
    return from == ElementType.BF16 && to == ElementType.BF16 && columns % 2 == 0;
  }

  /** Returns the tiles of a row, all zero. */
  float[][] newTiles() {
    int part = split ? columns / 2 : columns;
    int perPart = (part + TILE - 1) / TILE;
    float[][] tiles = new float[split ? 2 * perPart : perPart][];
    for (int i = 0; i < tiles.length; i++) {
      tiles[i] = new float[Math.min(TILE, part - (i % perPart) * TILE)];
    }
    return tiles;
  }

  /** Fills the tiles with float32 values in their order of columns. */
  void setFloats(float[] values, int offset, float[][] tiles) {
    if (!split) {
      for (int i = 0; i < tiles.length; i++) {
        System.arraycopy(values, offset + i * TILE, tiles[i], 0, tiles[i].length);
      }
      return;
    }
    int part = columns / 2;
    int perPart = tiles.length / 2;
    for (int i = 0; i < part; i++) {
      tiles[i / TILE][i % TILE] = values[offset + 2 * i];
      tiles[perPart + i / TILE][i % TILE] = values[offset + 2 * i + 1];
    }
  }

  /** Copies the tiles of a row that is not split to float32 values. */
  void getFloats(float[][] tiles, float[] values, int offset) {
    for (int i = 0; i < tiles.length; i++) {
      System.arraycopy(tiles[i], 0, values, offset + i * TILE, tiles[i].length);
    }
  }

  /**
   * Fills the tiles with a stored row.
   *
   * @param bytes little-endian; the row begins at {@code offset}
   */
  void read(ElementType type, ByteBuffer bytes, int offset, float[][] tiles) {
    if (!split) {
      Elements.toFloats(type, bytes.slice(offset, rowBytes(type)), row, 0, columns);
      setFloats(row, 0, tiles);
      return;
    }
    ints(bytes, offset).get(pairs);
    separate(pairs, evens, odds);
    int perPart = tiles.length / 2;
    toFloats(evens, tiles, 0, perPart);
    toFloats(odds, tiles, perPart, perPart);
  }

  /**
   * Writes the row, rounded to nearest, ties to even.
   *
   * @param bytes little-endian; the row begins at {@code offset}
   */
  void write(float[][] tiles, ElementType type, ByteBuffer bytes, int offset) {
    if (!split) {
      getFloats(tiles, row, 0);
      Elements.fromFloats(type, row, 0, columns, bytes.slice(offset, rowBytes(type)));
      return;
    }
    int perPart = tiles.length / 2;
    fromFloats(tiles, evens, 0, perPart);
    fromFloats(tiles, odds, perPart, perPart);
    join(evens, odds, pairs);
    ints(bytes, offset).put(pairs);
  }

  private int rowBytes(ElementType type) {
    return Math.toIntExact(type.byteSize(columns));
  }

  private IntBuffer ints(ByteBuffer bytes, int offset) {
    return bytes.slice(offset, columns * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer();
  }

  private void toFloats(int[] bits, float[][] tiles, int firstTile, int count) {
    scratchInts.put(0, bits);
    int position = 0;
    for (int i = firstTile; i < firstTile + count; i++) {
      scratchFloats.get(position, tiles[i]);
      position += tiles[i].length;
    }
  }

  private void fromFloats(float[][] tiles, int[] bits, int firstTile, int count) {
    int position = 0;
    for (int i = firstTile; i < firstTile + count; i++) {
      scratchFloats.put(position, tiles[i]);
      position += tiles[i].length;
    }
    scratchInts.get(0, bits);
  }

  // Loops in methods of their own: HotSpot compiles and vectorises each by itself.

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
