package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;

/**
 * Lets a number of generations run at once, and others wait in the order in which they came.
 * Thread-safe.
 */
public final class GenerationQueue {

  private final int most;
  private final List<Place> waiting = new ArrayList<>();
  private int running;
  private boolean closed;

  /**
   * Creates a queue with nobody in it.
   *
   * @param most generations at once, at least 1
   */
  public GenerationQueue(int most) {
    this.most = most;
  }

  /** Somebody who waits. */
  private static final class Place {
    /** A permit for each change that the waiting thread should look at. */
    private final Semaphore changes = new Semaphore(0);

    private boolean admitted;
  }

  /**
   * Waits for a turn, and works.
   *
   * @param listener told how many turns have to end before, and how many have; nothing where there
   *     is no need to wait
   * @param cancellation ends the waiting
   * @return what the work returns
   * @throws io.github.urae.GenerationCancelledException if the token is cancelled or the thread
   *     interrupted
   * @throws IllegalStateException if the queue is closed
   */
  public <R> R inTurn(ProgressListener listener, CancellationToken cancellation, Supplier<R> work) {
    Place place = enter();
    try {
      // Cancelling must not take this queue's lock, which is held where the token's may be taken.
      CancellationToken.Registration registration = cancellation.onCancel(place.changes::release);
      try {
        await(place, listener, cancellation);
      } finally {
        registration.close();
      }
      return work.get();
    } finally {
      leave(place);
    }
  }

  private synchronized Place enter() {
    if (closed) {
      throw new IllegalStateException("closed");
    }
    Place place = new Place();
    waiting.add(place);
    admitNext();
    return place;
  }

  private void await(Place place, ProgressListener listener, CancellationToken cancellation) {
    long start = System.nanoTime();
    int total = ahead(place);
    int ahead = total;
    int told = 0;
    while (ahead > 0 || told > 0) {
      if (ahead != told) {
        told = ahead;
        listener.onProgress(
            new StageProgress(
                Stage.WAITING,
                Optional.empty(),
                total - ahead,
                total,
                StageProgress.Unit.TURNS,
                Duration.ofNanos(System.nanoTime() - start),
                Optional.empty()));
      }
      if (ahead == 0) {
        return;
      }
      try {
        place.changes.acquire();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      cancellation.throwIfCancelled();
      ahead = ahead(place);
    }
  }

  /** Returns how many turns have to end before a place's begins: 0 where it has. */
  private synchronized int ahead(Place place) {
    if (place.admitted) {
      return 0;
    }
    if (closed) {
      throw new IllegalStateException("closed while this generation waited for its turn");
    }
    return waiting.indexOf(place) + 1;
  }

  private synchronized void leave(Place place) {
    if (place.admitted) {
      running--;
      admitNext();
    } else {
      waiting.remove(place);
      waiting.forEach(other -> other.changes.release());
    }
  }

  /** Called with the lock held. */
  private void admitNext() {
    while (running < most && !waiting.isEmpty()) {
      Place next = waiting.remove(0);
      next.admitted = true;
      running++;
      next.changes.release();
    }
    waiting.forEach(other -> other.changes.release());
  }

  /** Ends the waiting of all who wait; those who have a turn keep it. */
  public synchronized void close() {
    closed = true;
    waiting.forEach(other -> other.changes.release());
  }
}
