package io.github.urae.adapter;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Hands pieces of a result to a sink, one after the other, while the caller computes the next: two
 * pieces in turn are all the memory that takes. Not thread-safe.
 */
final class PieceWriter implements AutoCloseable {

  private final WeightMerger.Sink sink;
  private CompletableFuture<Void> writing = CompletableFuture.completedFuture(null);

  PieceWriter(WeightMerger.Sink sink) {
    this.sink = sink;
  }

  /**
   * Waits for the piece before, and lets this one be written.
   *
   * @param piece not to be touched until the next call returns
   * @param last whether it is the last one, which is written when this returns: no thread is worth
   *     its start for a result of one piece
   */
  void write(ByteBuffer piece, boolean last) throws IOException {
    await();
    if (last) {
      sink.accept(piece);
    } else {
      writing =
          CompletableFuture.runAsync(
              () -> {
                try {
                  sink.accept(piece);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
    }
  }

  private void await() throws IOException {
    try {
      writing.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof UncheckedIOException failure) {
        throw failure.getCause();
      }
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw e;
    }
  }

  /** Waits for what is being written; what goes wrong in it is not reported any more. */
  @Override
  public void close() {
    writing.exceptionally(e -> null).join();
  }
}
