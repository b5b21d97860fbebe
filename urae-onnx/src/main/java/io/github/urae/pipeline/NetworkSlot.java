package io.github.urae.pipeline;

import io.github.urae.graph.NetworkGraph;
import io.github.urae.internal.OwnedResources;
import io.github.urae.safetensors.TensorSource;
import io.github.urae.session.NetworkSession;
import io.github.urae.session.RuntimeClock;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One network with one state of its weights, and the session made of them, which is opened when it
 * is first used. Thread-safe. Owns the merged weights and the session, not the base weights; closed
 * when nobody uses it.
 */
final class NetworkSlot implements Closeable {

  private final NetworkGraph graph;
  private final TensorSource base;
  private final Optional<TensorSource> merged;
  private final PipelineSettings settings;
  private final RuntimeClock clock;
  private NetworkSession session;
  private int users;

  /**
   * Fills a slot.
   *
   * @param base weights in the session's element type; must stay open
   * @param merged those that adapters changed, in the same type; owned by the slot
   */
  NetworkSlot(
      NetworkGraph graph,
      TensorSource base,
      Optional<TensorSource> merged,
      PipelineSettings settings,
      RuntimeClock clock) {
    this.graph = graph;
    this.base = base;
    this.merged = merged;
    this.settings = settings;
    this.clock = clock;
  }

  /** Loads the network unless it is loaded, and keeps it so until the use is closed. */
  synchronized NetworkUse use() throws IOException {
    if (session == null) {
      session = open();
    }
    users++;
    return new NetworkUse(session, this::release);
  }

  private NetworkSession open() throws IOException {
    Map<String, Tensor> overrides = new HashMap<>();
    if (merged.isPresent()) {
      for (String name : merged.get().tensors().keySet()) {
        overrides.put(name, merged.get().tensor(name));
      }
    }
    return NetworkSession.open(graph, base, overrides, settings.sessions(), clock);
  }

  private synchronized void release() {
    users--;
    if (users == 0 && settings.residency() != Residency.ALL) {
      closeSession();
    }
  }

  private void closeSession() {
    if (session != null) {
      session.close();
      session = null;
    }
  }

  @Override
  public synchronized void close() throws IOException {
    OwnedResources owned = new OwnedResources();
    merged.ifPresent(owned::add);
    owned.add((AutoCloseable) this::closeSession);
    owned.close();
  }
}
