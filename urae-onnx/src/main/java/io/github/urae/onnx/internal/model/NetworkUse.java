package io.github.urae.onnx.internal.model;

import io.github.urae.CancellationToken;
import io.github.urae.onnx.internal.session.LoadedNetwork;
import io.github.urae.onnx.internal.session.NetworkRun;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A loaded network, for as long as this is not closed, and then until the last cancelled run has
 * ended. Runs are thread-safe, closing is not.
 */
public final class NetworkUse implements Closeable {

  private final LoadedNetwork network;
  private final CancelledRuns cancelled;
  private final List<CompletableFuture<Void>> pending = new CopyOnWriteArrayList<>();
  private Runnable release;

  NetworkUse(LoadedNetwork network, CancelledRuns cancelled, Runnable release) {
    this.network = network;
    this.cancelled = cancelled;
    this.release = release;
  }

  /** Runs the network, as {@link LoadedNetwork#run}. */
  public float[] run(Map<String, Tensor> inputs, CancellationToken cancellation) {
    cancellation.throwIfCancelled();
    NetworkRun run = network.start(inputs);
    try {
      return run.await(cancellation);
    } finally {
      if (!run.hasEnded()) {
        pending.add(run.ended().toCompletableFuture());
        cancelled.add(run);
      }
    }
  }

  /** Tells whether the network has an input. */
  public boolean takes(String input) {
    return network.takes(input);
  }

  /** Returns the network that runs. */
  public LoadedNetwork network() {
    return network;
  }

  /** Lets go of the network without waiting for cancelled runs, which keep it until they end. */
  @Override
  public void close() {
    if (release != null) {
      CompletableFuture<Void> unused =
          CompletableFuture.allOf(pending.toArray(new CompletableFuture<?>[0])).thenRun(release);
      release = null;
    }
  }
}
