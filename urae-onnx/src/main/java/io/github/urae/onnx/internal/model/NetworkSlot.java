package io.github.urae.onnx.internal.model;

import io.github.urae.device.Residency;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.LoadedNetwork;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.RuntimeClock;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One network with one state of its weights, and the session made of them, which is opened when it
 * is first used. Thread-safe. Owns the session, the merged weights, and its hold on the model with
 * the base weights.
 */
final class NetworkSlot implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(NetworkSlot.class);

  private final Closeable baseHold;
  private final Component component;
  private final NetworkGraph graph;
  private final TensorSource base;
  private final Optional<TensorSource> merged;
  private final PipelineSettings settings;
  private final RuntimeClock clock;
  private final CancelledRuns cancelled;
  private LoadedNetwork network;
  private int users;
  private boolean closed;

  /**
   * Fills a slot.
   *
   * @param baseHold keeps the base weights open; owned by the slot
   * @param base weights in the session's element type
   * @param merged those that adapters changed, in the same type; owned by the slot
   */
  NetworkSlot(
      Closeable baseHold,
      Component component,
      NetworkGraph graph,
      TensorSource base,
      Optional<TensorSource> merged,
      PipelineSettings settings,
      RuntimeClock clock,
      CancelledRuns cancelled) {
    this.baseHold = baseHold;
    this.component = component;
    this.graph = graph;
    this.base = base;
    this.merged = merged;
    this.settings = settings;
    this.clock = clock;
    this.cancelled = cancelled;
  }

  /** Loads the network unless it is loaded, and keeps it so until the use is closed. */
  synchronized NetworkUse use() throws IOException {
    if (network == null) {
      network = open();
    }
    users++;
    return new NetworkUse(network, cancelled, this::release);
  }

  private LoadedNetwork open() throws IOException {
    Map<String, Tensor> overrides = new HashMap<>();
    if (merged.isPresent()) {
      for (String name : merged.get().tensors().keySet()) {
        overrides.put(name, merged.get().tensor(name));
      }
    }
    return settings.residency() == Residency.BLOCK && component.hasBlocks()
        ? new BlockwiseNetwork(graph, base, overrides, settings.sessions(), clock)
        : NetworkSession.open(graph, base, overrides, settings.sessions(), clock);
  }

  private synchronized void release() {
    users--;
    if (users > 0) {
      return;
    }
    if (closed) {
      try {
        releaseAll();
      } catch (IOException e) {
        // On the thread of a cancelled run, where nobody is left to hear of it.
        LOG.warn("Merged weights could not be closed", e);
      }
    } else if (settings.residency() != Residency.ALL) {
      closeNetwork();
    }
  }

  private void closeNetwork() {
    if (network != null) {
      network.close();
      network = null;
    }
  }

  private void releaseAll() throws IOException {
    OwnedResources owned = new OwnedResources();
    owned.add(baseHold);
    merged.ifPresent(owned::add);
    owned.add((AutoCloseable) this::closeNetwork);
    owned.close();
  }

  /** Closes everything; where a cancelled run goes on, when that ends. */
  @Override
  public synchronized void close() throws IOException {
    closed = true;
    if (users == 0) {
      releaseAll();
    }
  }
}
