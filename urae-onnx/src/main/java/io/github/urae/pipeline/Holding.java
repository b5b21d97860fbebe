package io.github.urae.pipeline;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Work on something that is held open meanwhile. */
final class Holding {

  private static final Logger LOG = LoggerFactory.getLogger(Holding.class);

  private Holding() {}

  /** Work that may read files. */
  @FunctionalInterface
  interface Work<T extends Closeable, R> {
    R on(T held) throws IOException;
  }

  /**
   * Does some work and lets go of what it was done on. Where letting go fails, that is logged: the
   * work is done, and its result shall not be lost.
   *
   * @throws UncheckedIOException if the work cannot read a file
   */
  static <T extends Closeable, R> R on(T held, Work<T, R> work) {
    R result;
    try {
      result = work.on(held);
    } catch (IOException e) {
      UncheckedIOException failure = new UncheckedIOException(e);
      closeAfter(held, failure);
      throw failure;
    } catch (Throwable e) {
      closeAfter(held, e);
      throw e;
    }
    try {
      held.close();
    } catch (IOException | RuntimeException e) {
      LOG.warn("What was used last could not be closed", e);
    }
    return result;
  }

  private static void closeAfter(Closeable held, Throwable failure) {
    try {
      held.close();
    } catch (IOException | RuntimeException e) {
      failure.addSuppressed(e);
    }
  }
}
