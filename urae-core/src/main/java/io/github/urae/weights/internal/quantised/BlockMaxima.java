package io.github.urae.weights.internal.quantised;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * The largest magnitude of each block of a quantised tensor: numbers, or bytes that are quantised
 * in blocks themselves.
 *
 * @param stored a number or a byte for each block
 * @param firstBlock number of the first of these blocks in the tensor that was quantised
 * @param nested how bytes become numbers; empty where numbers are stored
 */
record BlockMaxima(TensorInfo stored, long firstBlock, Optional<Nested> nested) {

  /**
   * Quantised maxima: a byte stands for a number of a table, times the largest of its block, plus
   * an offset.
   *
   * @param table 256 numbers
   * @param maxima one for each block of blocks
   * @param blockSize maxima in a block of blocks
   * @param offset what is added; finite
   */
  record Nested(TensorInfo table, TensorInfo maxima, long blockSize, float offset) {}

  List<TensorInfo> tensors() {
    return nested
        .map(inner -> List.of(stored, inner.table(), inner.maxima()))
        .orElse(List.of(stored));
  }

  /**
   * Reads maxima.
   *
   * @throws io.github.urae.FileFormatException if one is no finite number
   */
  void read(WeightEncoding.StoredBytes bytes, long first, float[] target, int count)
      throws IOException {
    if (nested.isEmpty()) {
      readNumbers(bytes, stored, first, target, count);
      return;
    }
    Nested inner = nested.get();
    float[] table = new float[256];
    readNumbers(bytes, inner.table(), 0, table, table.length);
    ByteBuffer codes = ByteBuffer.allocate(count);
    bytes.read(stored, first, codes);
    long start = (firstBlock + first) / inner.blockSize();
    long last = (firstBlock + first + Math.max(0, count - 1)) / inner.blockSize();
    float[] maxima = new float[Math.toIntExact(last - start + 1)];
    readNumbers(bytes, inner.maxima(), start, maxima, maxima.length);
    for (int i = 0; i < count; i++) {
      float maximum = maxima[(int) ((firstBlock + first + i) / inner.blockSize() - start)];
      target[i] = table[codes.get(i) & 0xFF] * maximum + inner.offset();
    }
  }

  private static void readNumbers(
      WeightEncoding.StoredBytes bytes, TensorInfo tensor, long first, float[] target, int count)
      throws IOException {
    ElementType type = tensor.type();
    ByteBuffer numbers =
        ByteBuffer.allocate(Math.toIntExact(type.byteSize(count))).order(ByteOrder.LITTLE_ENDIAN);
    bytes.read(tensor, type.byteSize(first), numbers);
    Elements.toFloats(type, numbers.flip(), target, 0, count);
    for (int i = 0; i < count; i++) {
      Scales.checked(tensor, first + i, target[i]);
    }
  }

  /** Returns the maxima of some blocks. */
  BlockMaxima ofBlocks(long first, long count) {
    return new BlockMaxima(Scales.slice(stored, first, count), firstBlock + first, nested);
  }
}
