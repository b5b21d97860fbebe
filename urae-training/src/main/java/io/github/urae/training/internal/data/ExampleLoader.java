package io.github.urae.training.internal.data;

import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * Reads pictures in the order of training, a few ahead of it, on a thread of its own. One thread
 * may take; owns the thread.
 */
public final class ExampleLoader implements Closeable {

  /** What was read, or why it could not be. */
  private record Read(LoadedExample example, Throwable failure) {}

  private final DataSet data;
  private final DataOrder order;
  private final double realPromptRatio;
  private final BlockingQueue<Read> ahead;
  private final Thread thread;

  /**
   * Begins to read.
   *
   * @param data what to train on
   * @param seed of order and captions
   * @param realPromptRatio probability, 0 to 1, of an original caption where there is a generated
   *     one as well; URAE's scripts: 0.2
   * @param start where to begin
   * @param ahead pictures that are held ready, at least 1; one more is being read
   */
  public ExampleLoader(
      DataSet data, long seed, double realPromptRatio, DataPosition start, int ahead) {
    if (!(realPromptRatio >= 0 && realPromptRatio <= 1)) {
      throw new IllegalArgumentException(
          "real prompt ratio: expected 0 to 1, got " + realPromptRatio);
    }
    if (start.index() >= data.examples().size()) {
      throw new IllegalArgumentException(
          "position " + start.index() + " of " + data.examples().size() + " pictures");
    }
    this.data = data;
    this.order = new DataOrder(seed, data.examples().size());
    this.realPromptRatio = realPromptRatio;
    this.ahead = new ArrayBlockingQueue<>(ahead);
    this.thread = new Thread(() -> read(start), "urae-training-data");
    thread.setDaemon(true);
    thread.start();
  }

  private void read(DataPosition start) {
    try {
      ahead.put(new Read(null, endOf(start)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // Closed.
    }
  }

  /** Reads until something fails, and returns that: whoever waits for a picture hears of it. */
  private Throwable endOf(DataPosition start) throws InterruptedException {
    try {
      DataPosition position = start;
      while (true) {
        int[] permutation = order.permutation(position.epoch());
        long epoch = position.epoch();
        while (position.epoch() == epoch) {
          CachedExample example = data.examples().get(permutation[position.index()]);
          CaptionKind caption = example.choose(order.captionChoice(position), realPromptRatio);
          ahead.put(new Read(example.load(caption), null));
          position = position.next(order.size());
        }
      }
    } catch (IOException | RuntimeException | Error e) {
      return e;
    }
  }

  /**
   * Returns the next picture, waiting for it where it is not there yet.
   *
   * @return the pictures of {@link DataSet} in an order of each epoch's own, without end
   * @throws IOException if one cannot be read; so does every further call
   * @throws io.github.urae.FileFormatException if one's cache is damaged or holds numbers that are
   *     not finite; so does every further call
   * @throws InterruptedException if the thread was interrupted while waiting
   */
  public LoadedExample next() throws IOException, InterruptedException {
    Read read = ahead.take();
    if (read.failure == null) {
      return read.example;
    }
    ahead.add(read);
    if (read.failure instanceof IOException failure) {
      throw failure;
    }
    if (read.failure instanceof RuntimeException failure) {
      throw failure;
    }
    throw (Error) read.failure;
  }

  /** Ends the thread, and waits for that. */
  @Override
  public void close() {
    thread.interrupt();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
