package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.internal.Lease;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.util.Map;

/**
 * A loaded network, for as long as this is not closed. Each run holds the network as well, until
 * its native code has returned: closing does not wait for a run that was cancelled, and frees
 * nothing under it. From one run of a use to the next the network keeps the memory that it works
 * in; after the last it gives that back, since the next one at work is another network.
 * Thread-safe.
 */
public final class NetworkUse implements Closeable {

  private final Lease<LoadedNetwork> network;
  private final NetworkRuns runs;
  private volatile boolean hasRun;

  /**
   * Begins a use.
   *
   * @param network owned by the use
   * @param runs hears of runs that are cancelled
   */
  public NetworkUse(Lease<LoadedNetwork> network, NetworkRuns runs) {
    this.network = Lease.of(network.get(), () -> end(network));
    this.runs = runs;
  }

  /** When this is closed and the last run of it has returned, on whichever thread that is. */
  private void end(Lease<LoadedNetwork> held) throws IOException {
    try (held) {
      if (hasRun) {
        held.get().giveBackMemory();
      }
    }
  }

  /**
   * Runs the network on a thread of its own.
   *
   * @param inputs all inputs by name, float32 or int64; those that the network does not take are
   *     left out
   * @param cancellation ends the run between two operators; the caller does not wait for that
   * @return the one output, float32, row-major
   * @throws io.github.urae.GenerationCancelledException if the run was cancelled, or this thread
   *     interrupted
   * @throws io.github.urae.InferenceException if ONNX Runtime fails
   * @throws IllegalStateException if the network is closed
   */
  public float[] run(Map<String, Tensor> inputs, CancellationToken cancellation) {
    cancellation.throwIfCancelled();
    hasRun = true;
    NetworkRun run = NetworkRun.start(network.another(), Map.copyOf(inputs));
    try {
      return run.await(cancellation);
    } finally {
      if (!run.hasEnded()) {
        runs.addCancelled(run);
      }
    }
  }

  /**
   * Returns the network.
   *
   * @return open for as long as this is
   */
  public LoadedNetwork network() {
    return network.get();
  }

  /**
   * Tells whether the network has an input.
   *
   * @param input its name
   * @return whether a run must be given it
   */
  public boolean takes(String input) {
    return network().takes(input);
  }

  @Override
  public void close() throws IOException {
    network.close();
  }
}
