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
  public void cancel() {
    List<Runnable> pending;
    synchronized (this) {
      cancelled = true;
      pending = List.copyOf(actions);
      actions.clear();
    }
    pending.forEach(Runnable::run);
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
   * @param action run once at most, on the cancelling thread; must not block
   * @return removes the action when closed
   */
  public Registration onCancel(Runnable action) {
    boolean now;
    synchronized (this) {
      now = cancelled;
      if (!now) {
        actions.add(action);
      }
    }
    if (now) {
      action.run();
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

    /** Removes the action; it will not be started any more. */
    @Override
    void close();
  }
}
