package io.github.urae.onnx.internal.model;

import io.github.urae.device.Offload;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.Lease;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.LoadedNetwork;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One network with one state of its weights, and the session made of them for as long as somebody
 * uses it. Thread-safe. Owns the merged weights and its hold on the model with the base weights;
 * whoever uses the session holds the slot.
 */
final class NetworkSlot implements Closeable {

  private final Lease<Model> model;
  private final Component component;
  private final NetworkGraph graph;
  private final TensorSource base;
  private final Optional<TensorSource> merged;
  private final OwnedResources owned;

  /** The network that was loaded last; whoever uses it keeps it open, not the slot. */
  private Optional<Lease<LoadedNetwork>> last = Optional.empty();

  /**
   * Fills a slot.
   *
   * @param model keeps the base weights open
   * @param base weights in the session's element type
   * @param merged those that adapters changed, in the same type
   * @param owned closed with the slot: the model, the merged weights, and what these need
   */
  NetworkSlot(
      Lease<Model> model,
      Component component,
      NetworkGraph graph,
      TensorSource base,
      Optional<TensorSource> merged,
      OwnedResources owned) {
    this.model = model;
    this.component = component;
    this.graph = graph;
    this.base = base;
    this.merged = merged;
    this.owned = owned;
  }

  /** Loads a slot's network unless somebody uses it already; the caller closes the use. */
  static NetworkUse use(Lease<NetworkSlot> lease) throws IOException {
    NetworkSlot slot = lease.get();
    NetworkRuns runs = slot.model.get().runs();
    synchronized (slot) {
      Optional<Lease<LoadedNetwork>> used = slot.last.flatMap(Lease::anotherIfOpen);
      if (used.isPresent()) {
        return new NetworkUse(used.get(), runs);
      }
      OwnedResources opened = new OwnedResources();
      try {
        opened.add(lease.another());
        LoadedNetwork network = opened.add(slot.open(runs));
        Lease<LoadedNetwork> first = Lease.of(network, opened);
        slot.last = Optional.of(first);
        return new NetworkUse(first, runs);
      } catch (Throwable e) {
        opened.closeAfter(e);
        throw e;
      }
    }
  }

  /** Returns the graph that sessions are made of. */
  NetworkGraph graph() {
    return graph;
  }

  private LoadedNetwork open(NetworkRuns runs) throws IOException {
    Map<String, Tensor> overrides = new HashMap<>();
    if (merged.isPresent()) {
      for (String name : merged.get().tensors().keySet()) {
        overrides.put(name, merged.get().tensor(name));
      }
    }
    PipelineSettings settings = model.get().settings();
    return settings.offload() == Offload.BLOCK && component.hasBlocks()
        ? new BlockwiseNetwork(graph, base, overrides, settings.sessions(), runs)
        : NetworkSession.open(graph, base, overrides, settings.sessions(), runs);
  }

  @Override
  public void close() throws IOException {
    owned.close();
  }
}
