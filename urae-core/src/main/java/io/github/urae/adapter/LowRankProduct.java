package io.github.urae.adapter;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The sum of {@code scale * B A} over several low-rank updates of one weight, ready to be added to
 * its rows. Accumulates in float32 and rounds once. Immutable and thread-safe.
 */
final class LowRankProduct {

  /**
   * Rows of A that one pass of the innermost loop takes; more, and HotSpot no longer vectorises.
   */
  private static final int PASS = 4;

  /** Rows of the weight that one thread works on at a time: their tiles fit the second cache. */
  private static final int BLOCK = 32;

  private final int rows;
  private final int columns;
  private final boolean split;

  /** A of all updates: [rank, rounded up to a multiple of PASS][tile][column]. */
  private final float[][][] down;

  /** B of all updates, times their scales: [rows, rank rounded up], row-major. */
  private final float[] up;

  /**
   * @param split whether the weight's rows are kept split, see {@link RowCodec}
   */
  LowRankProduct(int rows, int columns, boolean split, List<WeightUpdate.LowRank> updates) {
    this.rows = rows;
    this.columns = columns;
    this.split = split;
    int rank = updates.stream().mapToInt(u -> u.module().rank()).sum();
    int padded = (rank + PASS - 1) / PASS * PASS;
    this.down = new float[padded][][];
    this.up = new float[Math.multiplyExact(rows, padded)];
    int first = 0;
    for (WeightUpdate.LowRank update : updates) {
      addDown(update.module().down(), first);
      addUp(update, first);
      first += update.module().rank();
    }
    for (; first < padded; first++) {
      down[first] = new RowCodec(columns, split).newTiles();
    }
  }

  private void addDown(Tensor a, int first) {
    float[] values = a.toFloats();
    RowCodec codec = new RowCodec(columns, split);
    for (int i = 0; i < values.length / columns; i++) {
      down[first + i] = codec.newTiles();
      codec.setFloats(values, i * columns, down[first + i]);
    }
  }

  private void addUp(WeightUpdate.LowRank update, int first) {
    int rank = update.module().rank();
    float[] values = new float[Math.multiplyExact(Math.toIntExact(update.rows()), rank)];
    update.module().up().toFloats(update.moduleRow() * rank, values, 0, values.length);
    for (int row = 0; row < update.rows(); row++) {
      int target = (Math.toIntExact(update.weightRow()) + row) * down.length + first;
      for (int k = 0; k < rank; k++) {
        up[target + k] = (float) (update.scale() * values[row * rank + k]);
      }
    }
  }

  /**
   * Adds this product to some rows of a stored weight.
   *
   * @param firstRow number of the first row that the buffers hold
   * @param count number of rows
   * @param from type of {@code source}
   * @param source the rows as stored; unchanged
   * @param to type of {@code target}
   * @param target receives the changed rows
   */
  void addTo(
      int firstRow,
      int count,
      ElementType from,
      ByteBuffer source,
      ElementType to,
      ByteBuffer target) {
    int fromBytes = Math.toIntExact(from.byteSize(columns));
    int toBytes = Math.toIntExact(to.byteSize(columns));
    inBlocks(
        firstRow,
        count,
        (codec, row, tiles) -> codec.read(from, source, row * fromBytes, tiles),
        (codec, row, tiles) -> codec.write(tiles, to, target, row * toBytes));
  }

  /** Adds this product, which must not be split, to a weight in float32: [rows, columns]. */
  void addInPlace(float[] weight) {
    inBlocks(
        0,
        rows,
        (codec, row, tiles) -> codec.setFloats(weight, row * columns, tiles),
        (codec, row, tiles) -> codec.getFloats(tiles, weight, row * columns));
  }

  private interface RowTask {
    void run(RowCodec codec, int row, float[][] tiles);
  }

  private void inBlocks(int firstRow, int count, RowTask read, RowTask write) {
    int blocks = (count + BLOCK - 1) / BLOCK;
    int workers = Math.min(blocks, Runtime.getRuntime().availableProcessors());
    IntStream.range(0, workers)
        .parallel()
        .forEach(
            worker -> {
              RowCodec codec = new RowCodec(columns, split);
              float[][][] tiles = new float[BLOCK][][];
              Arrays.setAll(tiles, i -> codec.newTiles());
              for (int block = worker; block < blocks; block += workers) {
                int begin = block * BLOCK;
                int size = Math.min(BLOCK, count - begin);
                for (int i = 0; i < size; i++) {
                  read.run(codec, begin + i, tiles[i]);
                }
                addRows(tiles, size, firstRow + begin);
                for (int i = 0; i < size; i++) {
                  write.run(codec, begin + i, tiles[i]);
                }
              }
            });
  }

  /** Tile by tile, so that A's part stays in the first cache for all rows. */
  private void addRows(float[][][] sums, int size, int firstRow) {
    for (int tile = 0; tile < sums[0].length; tile++) {
      for (int i = 0; i < size; i++) {
        int b = (firstRow + i) * down.length;
        for (int k = 0; k < down.length; k += PASS) {
          addFour(
              sums[i][tile],
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
