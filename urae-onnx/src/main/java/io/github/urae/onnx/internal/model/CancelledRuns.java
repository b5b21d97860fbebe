package io.github.urae.onnx.internal.model;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.onnx.internal.session.NetworkRun;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;

/** Runs that were cancelled and whose native code has not returned yet. Thread-safe. */
final class CancelledRuns {

  private final Set<NetworkRun> going = ConcurrentHashMap.newKeySet();

  /** Adds a run, until it ends. */
  void add(NetworkRun run) {
    going.add(run);
    CompletionStage<Void> unused = run.ended().thenRun(() -> going.remove(run));
  }

  /**
   * Waits until those that go on now have ended, so that their memory is free again.
   *
   * @throws GenerationCancelledException if the token is cancelled or the thread interrupted
   */
  void await(CancellationToken cancellation) {
    CompletableFuture<Void> all =
        CompletableFuture.allOf(
            going.stream()
                .map(run -> run.ended().toCompletableFuture())
                .toArray(CompletableFuture<?>[]::new));
    CompletableFuture<Void> cancelled = new CompletableFuture<>();
    CancellationToken.Registration registration =
        cancellation.onCancel(() -> cancelled.complete(null));
    try {
      CompletableFuture.anyOf(all, cancelled).get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      throw new IllegalStateException("the end of a run is no failure", e);
    } finally {
      registration.close();
    }
    cancellation.throwIfCancelled();
  }
}
