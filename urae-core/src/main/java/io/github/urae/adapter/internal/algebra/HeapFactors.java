package io.github.urae.adapter.internal.algebra;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** Factors on the Java heap, multiplied by loops that HotSpot turns into vector instructions. */
public final class HeapFactors implements LowRankFactors {

  /** Columns of a tile: 16 rows of A take 32 KB, the processor's first cache. */
  private static final int TILE = 512;

  /**
   * Rows of A that one pass of the innermost loop takes; more, and HotSpot no longer vectorises.
   */
  private static final int PASS = 4;

  private final int columns;

  /** Rank, rounded up to a multiple of PASS. */
  private final int rank;

  /** A: [rank][tile][column]. */
  private final float[][][] down;

  /** B: [rows, rank], row-major. */
  private final float[] up;

  /**
   * @param down A, [rank, columns], row-major
   * @param up B, [rows, rank], row-major
   */
  public HeapFactors(int rows, int columns, int rank, float[] down, float[] up) {
    this.columns = columns;
    this.rank = (rank + PASS - 1) / PASS * PASS;
    this.down = new float[this.rank][][];
    for (int k = 0; k < this.rank; k++) {
      this.down[k] = newTiles();
      if (k < rank) {
        split(down, k * columns, this.down[k]);
      }
    }
    this.up = new float[Math.multiplyExact(rows, this.rank)];
    for (int row = 0; row < rows; row++) {
      System.arraycopy(up, row * rank, this.up, row * this.rank, rank);
    }
  }

  private float[][] newTiles() {
    float[][] tiles = new float[(columns + TILE - 1) / TILE][];
    for (int i = 0; i < tiles.length; i++) {
      tiles[i] = new float[Math.min(TILE, columns - i * TILE)];
    }
    return tiles;
  }

  private static void split(float[] values, int offset, float[][] tiles) {
    for (int i = 0; i < tiles.length; i++) {
      System.arraycopy(values, offset + i * TILE, tiles[i], 0, tiles[i].length);
    }
  }

  @Override
  public RowBlock newRows(int capacity) {
    return new Rows(capacity);
  }

  @Override
  public void close() {
    // The heap is the garbage collector's.
  }

  private final class Rows implements RowBlock {

    private final float[][][] sums;

    /** One row of bits and of floats, the same memory: no loop converts faster than a copy. */
    private IntBuffer bitsView;

    private FloatBuffer floatsView;

    private Rows(int capacity) {
      sums = new float[capacity][][];
      for (int i = 0; i < capacity; i++) {
        sums[i] = newTiles();
      }
    }

    @Override
    public void putFloats(int row, float[] values, int offset) {
      split(values, offset, sums[row]);
    }

    @Override
    public void getFloats(int row, float[] values, int offset) {
      for (int i = 0; i < sums[row].length; i++) {
        System.arraycopy(sums[row][i], 0, values, offset + i * TILE, sums[row][i].length);
      }
    }

    @Override
    public void putBits(int row, int[] first, int[] second) {
      if (bitsView == null) {
        ByteBuffer memory =
            ByteBuffer.allocateDirect(Math.multiplyExact(columns, Float.BYTES))
                .order(ByteOrder.nativeOrder());
        bitsView = memory.asIntBuffer();
        floatsView = memory.asFloatBuffer();
      }
      bitsView.put(0, first).put(first.length, second);
      for (int i = 0; i < sums[row].length; i++) {
        floatsView.get(i * TILE, sums[row][i]);
      }
    }

    @Override
    public void getBits(int row, int[] first, int[] second) {
      for (int i = 0; i < sums[row].length; i++) {
        floatsView.put(i * TILE, sums[row][i]);
      }
      bitsView.get(0, first).get(first.length, second);
    }

    /** Tile by tile, so that A's part stays in the first cache for all rows. */
    @Override
    public void add(int firstRow, int count) {
      for (int tile = 0; tile < sums[0].length; tile++) {
        for (int row = 0; row < count; row++) {
          int b = (firstRow + row) * rank;
          for (int k = 0; k < rank; k += PASS) {
            addFour(
                sums[row][tile],
                down[k][tile],
                down[k + 1][tile],
                down[k + 2][tile],
                down[k + 3][tile],
                up[b + k],
                up[b + k + 1],
                up[b + k + 2],
                up[b + k + 3]);
          }
        }
      }
    }
  }

  private static void addFour(
      float[] sum,
      float[] a0,
      float[] a1,
      float[] a2,
      float[] a3,
      float b0,
      float b1,
      float b2,
      float b3) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] =
          Math.fma(
              b0, a0[i], Math.fma(b1, a1[i], Math.fma(b2, a2[i], Math.fma(b3, a3[i], sum[i]))));
    }
  }
}
