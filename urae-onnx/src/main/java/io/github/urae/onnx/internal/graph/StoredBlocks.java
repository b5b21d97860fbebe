package io.github.urae.onnx.internal.graph;

import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.CodedBlocks;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A tensor in whole {@linkplain BlockEncoding blocks}, to be taken apart from its file. */
record StoredBlocks(TensorSource source, TensorInfo tensor, BlockEncoding encoding) {

  /** Bytes of a file that are taken apart at once: they stay in the cache. */
  private static final int PIECE_BYTES = 1 << 16;

  /** Makes the bytes of an operator from some blocks. */
  @FunctionalInterface
  interface Taker {

    /**
     * Takes blocks.
     *
     * @param blocks their parts, from index 0 on; room that is used anew afterwards
     * @param elements number of values
     * @param groups number of groups of values that share a scale
     * @param target takes the bytes, little-endian
     */
    void take(CodedBlocks blocks, int elements, int groups, ByteBuffer target);
  }

  /** A thread's memory. */
  @SuppressWarnings("ArrayRecordComponent") // Room that is used anew, compared by nobody.
  private record Worker(byte[] stored, CodedBlocks blocks) {}

  /** Finds a tensor whose rows are whole blocks. */
  static StoredBlocks of(TensorSource source, String name) {
    TensorInfo tensor = source.tensors().get(name);
    return new StoredBlocks(source, tensor, (BlockEncoding) tensor.encoding());
  }

  /** Tells whether a tensor is a matrix whose rows are whole blocks. */
  static boolean are(TensorInfo tensor) {
    return tensor.encoding() instanceof BlockEncoding encoding
        && tensor.shape().rank() == 2
        && tensor.columns() % encoding.layout().blockElements() == 0;
  }

  /**
   * Takes all blocks apart, on all processors.
   *
   * @param mostBytes that are made of a value
   * @param sink gets what is made, in the order of the blocks
   */
  void write(int mostBytes, Taker taker, ByteSink sink) throws IOException {
    BlockEncoding.Layout layout = encoding.layout();
    long all = tensor.shape().elementCount() / layout.blockElements();
    int most = (int) Math.min(all, Math.max(1, PIECE_BYTES / layout.blockBytes()));
    new OrderedPieces<>(
            () -> new Worker(new byte[most * layout.blockBytes()], encoding.allocate(most)),
            most * layout.blockElements() * mostBytes)
        .write(
            Math.toIntExact((all + most - 1) / most),
            (worker, number, target) -> {
              long first = (long) number * most;
              int count = (int) Math.min(most, all - first);
              source.read(
                  tensor.name(),
                  first * layout.blockBytes(),
                  ByteBuffer.wrap(worker.stored, 0, count * layout.blockBytes()));
              encoding.readCodes(tensor, first, worker.stored, count, worker.blocks);
              int elements = count * layout.blockElements();
              taker.take(worker.blocks, elements, elements / layout.groupElements(), target);
            },
            sink);
  }
}
