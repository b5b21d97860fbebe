package io.github.urae;

import java.util.ArrayList;
import java.util.List;

/**
 * A switch that stops a running generation or merge, from any thread. Once cancelled it stays so.
 * Thread-safe.
 */
public final class CancellationToken {

  private final List<Runnable> actions = new ArrayList<>();
  private boolean cancelled;

  /** Creates a token that is not cancelled. */
  public CancellationToken() {}

  /** Cancels what watches this token; calling it again changes nothing. */
  public synchronized void cancel() {
    cancelled = true;
    actions.forEach(Runnable::run);
    actions.clear();
  }

  /**
   * Tells whether {@link #cancel()} was called.
   *
   * @return true from then on
   */
  public synchronized boolean isCancelled() {
    return cancelled;
  }

  /**
   * Throws if this token is cancelled or the current thread is interrupted (which it stays).
   *
   * @throws GenerationCancelledException in that case
   */
  public void throwIfCancelled() {
    if (isCancelled()) {
      throw new GenerationCancelledException("cancelled");
    }
    if (Thread.currentThread().isInterrupted()) {
      throw new GenerationCancelledException("cancelled: the thread was interrupted");
    }
  }

  /**
   * Runs an action when this token is cancelled; at once if it already is.
   *
   * @param action run once at most, on the cancelling thread; must neither block nor throw
   * @return removes the action when closed
   */
  public synchronized Registration onCancel(Runnable action) {
    if (cancelled) {
      action.run();
    } else {
      actions.add(action);
    }
    return () -> {
      synchronized (this) {
        actions.remove(action);
      }
    };
  }

  /** Undoes {@link #onCancel}. */
  @FunctionalInterface
  public interface Registration extends AutoCloseable {

    /** Removes the action. It is not running, and will not run, once this returns. */
    @Override
    void close();
  }
}
