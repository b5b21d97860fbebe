package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * What is known of the runs of a model's networks together: the time that they spent inside ONNX
 * Runtime, those that were cancelled and whose native code has not returned yet, and the networks
 * of which it is known what runs where. Thread-safe.
 */
public final class NetworkRuns {

  private final LongAdder nanos = new LongAdder();
  private final Set<NetworkRun> cancelled = ConcurrentHashMap.newKeySet();
  private final PlacementCheck placements;

  /**
   * Creates an empty record.
   *
   * @param temporary folder for profiles, for as long as they are read; made when needed
   */
  public NetworkRuns(Path temporary) {
    placements = new PlacementCheck(temporary);
  }

  PlacementCheck placements() {
    return placements;
  }

  void addTime(long more) {
    nanos.add(more);
  }

  /**
   * Returns the time of all runs so far.
   *
   * @return nanoseconds, summed over sessions and threads
   */
  public long nanos() {
    return nanos.sum();
  }

  /** Adds a run that was cancelled, until it ends. */
  void addCancelled(NetworkRun run) {
    cancelled.add(run);
    CompletionStage<Void> unused = run.ended().thenRun(() -> cancelled.remove(run));
  }

  /**
   * Waits until the cancelled runs that go on now have ended, so that their memory is free again.
   *
   * @param cancellation ends the waiting
   * @throws GenerationCancelledException if the token is cancelled or the thread interrupted
   */
  public void awaitCancelled(CancellationToken cancellation) {
    NetworkRun.await(
        CompletableFuture.allOf(
            cancelled.stream().map(NetworkRun::ended).toArray(CompletableFuture<?>[]::new)),
        cancellation);
  }
}
