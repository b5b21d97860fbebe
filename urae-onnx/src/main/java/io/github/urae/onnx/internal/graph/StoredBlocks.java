package io.github.urae.onnx.internal.graph;

import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A tensor in whole {@linkplain BlockEncoding blocks}, to be taken apart from its file. */
record StoredBlocks(TensorSource source, TensorInfo tensor, BlockEncoding encoding) {

  /** Bytes of a file that are taken apart at once: they stay in the cache. */
  private static final int PIECE_BYTES = 1 << 18;

  /** Takes some blocks. */
  @FunctionalInterface
  interface Taker {

    /**
     * Takes blocks, in their order.
     *
     * @param blocks their parts, from index 0 on; room that is used anew afterwards
     * @param elements number of values
     * @param groups number of groups of values that share a scale
     * @throws IOException if they cannot be written
     */
    void take(CodedBlocks blocks, int elements, int groups) throws IOException;
  }

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

  /** Reads all blocks, piece by piece. */
  void forEach(Taker taker) throws IOException {
    BlockEncoding.Layout layout = encoding.layout();
    long all = tensor.shape().elementCount() / layout.blockElements();
    int most = (int) Math.min(all, Math.max(1, PIECE_BYTES / layout.blockBytes()));
    byte[] stored = new byte[most * layout.blockBytes()];
    CodedBlocks blocks = encoding.allocate(most);
    for (long first = 0; first < all; first += most) {
      int count = (int) Math.min(most, all - first);
      int bytes = count * layout.blockBytes();
      source.read(tensor.name(), first * layout.blockBytes(), ByteBuffer.wrap(stored, 0, bytes));
      encoding.readCodes(tensor, first, stored, count, blocks);
      int elements = count * layout.blockElements();
      taker.take(blocks, elements, elements / layout.groupElements());
    }
  }
}
