package io.github.urae.adapter;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Hands pieces of a result to a sink, one after the other, while the caller computes the next: two
 * pieces in turn are all the memory that takes. Writes on a thread of its own, not on one of a pool
 * whose threads may all be waiting for the caller. Not thread-safe.
 */
final class PieceWriter implements AutoCloseable {

  private static final Future<?> WRITTEN = CompletableFuture.completedFuture(null);

  private final WeightMerger.Sink sink;

  /** Null until there is something to write beside the computation. */
  private ExecutorService thread;

  private Future<?> writing = WRITTEN;

  PieceWriter(WeightMerger.Sink sink) {
    this.sink = sink;
  }

  /**
   * Waits for the piece before, and lets this one be written.
   *
   * @param piece not to be touched until the next call returns
   * @param last whether it is the last one, which is written when this returns: a result of one
   *     piece is not worth a thread
   */
  void write(ByteBuffer piece, boolean last) throws IOException {
    await();
    if (last) {
      sink.accept(piece);
      return;
    }
    if (thread == null) {
      thread =
          Executors.newSingleThreadExecutor(
              work -> {
                Thread started = new Thread(work, "urae-merge-writer");
                started.setDaemon(true);
                return started;
              });
    }
    writing =
        thread.submit(
            () -> {
              sink.accept(piece);
              return null;
            });
  }

  /** Interrupts wait until the piece is written: its memory and its file are the caller's. */
  private void await() throws IOException {
    Future<?> piece = writing;
    // A failure is thrown once: not again when this is closed because of it.
    writing = WRITTEN;
    boolean interrupted = false;
    try {
      while (true) {
        try {
          piece.get();
          return;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      if (e.getCause() instanceof Error failure) {
        throw failure;
      }
      throw new IllegalStateException(e);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Waits for what is being written. */
  @Override
  public void close() throws IOException {
    if (thread != null) {
      thread.shutdown();
      await();
    }
  }
}
