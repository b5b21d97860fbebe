package io.github.urae.weights.internal.quantised;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.PieceBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * Values of four bits in blocks of the flattened tensor, which may begin and end within rows: two
 * in a byte, the first in its upper half, each times the largest magnitude of its block.
 *
 * @see <a href="https://github.com/bitsandbytes-foundation/bitsandbytes">bitsandbytes: {@code
 *     functional.dequantize_4bit}; values are not rounded to 16 bits here, as they are there</a>
 */
public final class FourBitBlocks implements WeightEncoding {

  /** Values read at once: they stay in the second cache. */
  private static final int PIECE = 1 << 16;

  private final FourBitCode code;
  private final long blockSize;
  private final BlockMaxima maxima;

  FourBitBlocks(FourBitCode code, long blockSize, BlockMaxima maxima) {
    this.code = code;
    this.blockSize = blockSize;
    this.maxima = maxima;
  }

  /**
   * Returns what four bits stand for.
   *
   * @return the list of values
   */
  public FourBitCode code() {
    return code;
  }

  /**
   * Returns how many values share a maximum.
   *
   * @return 1 or more; 64 in most files
   */
  public long blockSize() {
    return blockSize;
  }

  /**
   * Reads the largest magnitudes of blocks, as numbers however they are stored.
   *
   * @param bytes gives them
   * @param firstBlock number of the first block, from the tensor's first value on
   * @param target filled from its start
   * @param count number of blocks
   * @throws IOException if reading fails
   * @throws io.github.urae.FileFormatException if one is no finite number, or the file was cut
   *     short
   */
  public void readMaxima(StoredBytes bytes, long firstBlock, float[] target, int count)
      throws IOException {
    maxima.read(bytes, firstBlock, target, count);
  }

  @Override
  public String name() {
    return code.name();
  }

  /** {@inheritDoc} Products of two numbers need all of float32. */
  @Override
  public ElementType valueType() {
    return ElementType.F32;
  }

  @Override
  public List<TensorInfo> companions() {
    return maxima.tensors();
  }

  @Override
  public long byteSize(Shape shape) {
    return bytesFor(shape.elementCount());
  }

  static long bytesFor(long values) {
    return values / 2 + values % 2;
  }

  @Override
  public Optional<WeightEncoding> ofRows(Shape shape, long first, long count) {
    long columns = shape.elementCount() / Math.max(1, shape.dimension(0));
    long start = first * columns;
    if (start % blockSize != 0 || start % 2 != 0) {
      return Optional.empty();
    }
    long blocks = (count * columns + blockSize - 1) / blockSize;
    return Optional.of(
        new FourBitBlocks(code, blockSize, maxima.ofBlocks(start / blockSize, blocks)));
  }

  @Override
  public void toFloats(
      TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
      throws IOException {
    for (int done = 0; done < count; done += PIECE) {
      int piece = Math.min(PIECE, count - done);
      long start = first + done;
      long firstBlock = start / blockSize;
      // First, since numbers may be read through the same memory.
      float[] largest =
          new float[Math.toIntExact((start + piece - 1) / blockSize - firstBlock + 1)];
      readMaxima(bytes, firstBlock, largest, largest.length);
      long firstByte = start / 2;
      ByteBuffer codes = PieceBytes.ofThread().limit((int) (bytesFor(start + piece) - firstByte));
      bytes.read(tensor, firstByte, codes);
      decode(largest, codes.flip(), start, target, offset + done, piece);
    }
  }

  private void decode(
      float[] largest, ByteBuffer codes, long start, float[] target, int offset, int count) {
    long firstBlock = start / blockSize;
    long firstByte = start / 2;
    int done = 0;
    while (done < count) {
      long at = start + done;
      float maximum = largest[(int) (at / blockSize - firstBlock)];
      int run = (int) Math.min(count - done, blockSize - at % blockSize);
      for (int i = 0; i < run; i++) {
        int pair = codes.get((int) ((at + i) / 2 - firstByte));
        target[offset + done + i] = code.value(pair >> ((at + i) % 2 == 0 ? 4 : 0) & 15) * maximum;
      }
      done += run;
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FourBitBlocks that
        && code == that.code
        && blockSize == that.blockSize
        && maxima.equals(that.maxima);
  }

  @Override
  public int hashCode() {
    return maxima.hashCode();
  }

  @Override
  public String toString() {
    return name();
  }
}
