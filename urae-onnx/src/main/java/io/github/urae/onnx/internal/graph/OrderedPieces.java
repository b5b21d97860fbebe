package io.github.urae.onnx.internal.graph;

import io.github.urae.internal.ParallelBlocks;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Makes the bytes of a tensor on all processors, a few pieces at a time, and gives them on in
 * order.
 *
 * @param newWorker makes a thread's memory
 * @param pieceBytes the most bytes of a piece
 */
record OrderedPieces<W>(Supplier<W> newWorker, int pieceBytes) {

  /** Pieces made together for each processor: nearly all of the time, all are at work. */
  private static final int ROUNDS = 4;

  /** Makes a piece. */
  @FunctionalInterface
  interface Maker<W> {

    /**
     * Makes a piece.
     *
     * @param worker the thread's memory
     * @param number of the piece, from 0 on
     * @param target takes its bytes, little-endian
     * @throws IOException if what it is made from cannot be read
     */
    void make(W worker, int number, ByteBuffer target) throws IOException;
  }

  /** Makes all pieces. */
  void write(int pieces, Maker<W> maker, ByteSink sink) throws IOException {
    int atOnce = Math.min(pieces, ROUNDS * Runtime.getRuntime().availableProcessors());
    List<ByteBuffer> made = new ArrayList<>();
    for (int i = 0; i < atOnce; i++) {
      made.add(ByteBuffer.allocate(pieceBytes).order(ByteOrder.LITTLE_ENDIAN));
    }
    ParallelBlocks<W> workers = new ParallelBlocks<>(newWorker);
    for (int first = 0; first < pieces; first += atOnce) {
      int start = first;
      int count = Math.min(atOnce, pieces - first);
      try {
        workers.run(
            count,
            (worker, i) -> {
              try {
                maker.make(worker, start + i, made.get(i).clear());
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
      for (int i = 0; i < count; i++) {
        sink.accept(made.get(i).flip());
      }
    }
  }
}
