package io.github.urae.onnx.internal.model;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.merge.MergedWeights;
import io.github.urae.device.Device;
import io.github.urae.device.Residency;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.GraphSegments;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.session.RuntimeClock;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.onnx.internal.tokenizer.ClipTokenizer;
import io.github.urae.onnx.internal.tokenizer.T5Tokenizer;
import io.github.urae.onnx.internal.tokenizer.Tokenizer;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A stored model, open and checked: tokenizers, graphs, and base weights. What adapters change is
 * made from it, and never changes it. Thread-safe; owns the open files.
 */
final class Model implements Closeable {

  private final ModelSource source;
  private final Checkpoint checkpoint;
  private final PipelineSettings settings;
  private final ElementType elementType;
  private final RuntimeClock clock = new RuntimeClock();
  private final CancelledRuns cancelled = new CancelledRuns();
  private final OwnedResources opened = new OwnedResources();
  private final Map<Component, Weights> weights = new EnumMap<>(Component.class);
  private final Map<Component, NetworkSlot> onDemand = new EnumMap<>(Component.class);
  private Tokenizer clipTokenizer;
  private Tokenizer t5Tokenizer;

  private Model(ModelSource source, PipelineSettings settings) {
    this.source = source;
    this.checkpoint = source.checkpoint();
    this.settings = settings;
    // The CPU provider has no bfloat16 arithmetic.
    this.elementType =
        settings.sessions().device() instanceof Device.Cuda ? ElementType.BF16 : ElementType.F32;
  }

  /** Opens and checks what every generation needs; loads nothing. The caller closes the model. */
  static Model open(ModelSource source, PipelineSettings settings) throws IOException {
    Model model = new Model(source, settings);
    try {
      model.openTokenizers();
      for (Component component : Component.networks()) {
        if (!component.isOnDemand()) {
          model.weights.put(component, model.opened.add(source.open(component, model.elementType)));
        }
      }
      return model;
    } catch (Throwable e) {
      model.opened.closeAfter(e);
      throw e;
    }
  }

  private void openTokenizers() throws IOException {
    Path folder = checkpoint.folder();
    clipTokenizer = opened.add(ClipTokenizer.open(folder.resolve(Component.TOKENIZER.folder())));
    t5Tokenizer =
        opened.add(
            T5Tokenizer.open(
                folder.resolve(Component.TOKENIZER_2.folder()),
                checkpoint.t5().endToken(),
                checkpoint.t5().padToken()));
  }

  Checkpoint checkpoint() {
    return checkpoint;
  }

  PipelineSettings settings() {
    return settings;
  }

  /** Returns the element type of text encoders and transformer. */
  ElementType elementType() {
    return elementType;
  }

  Tokenizer clipTokenizer() {
    return clipTokenizer;
  }

  Tokenizer t5Tokenizer() {
    return t5Tokenizer;
  }

  /** Returns how long runs of all networks have taken. */
  RuntimeClock clock() {
    return clock;
  }

  /** Returns the runs of all networks that were cancelled and go on. */
  CancelledRuns cancelledRuns() {
    return cancelled;
  }

  /**
   * Returns the bytes of weights that are held in memory, not as file pages, while a network runs:
   * on a GPU and where ONNX Runtime has copied them.
   */
  long heldWeights(Component running) {
    SessionSettings sessions = settings.sessions();
    if (sessions.device() instanceof Device.Cpu && !sessions.prepacking()) {
      return 0;
    }
    if (settings.residency() == Residency.ALL) {
      return weights.values().stream().mapToLong(own -> bytes(own.graph())).sum();
    }
    NetworkGraph graph = weights.get(running).graph();
    if (settings.residency() == Residency.ONE_AT_A_TIME || !running.hasBlocks()) {
      return bytes(graph);
    }
    List<NetworkGraph> blocks = GraphSegments.cut(graph);
    long most = bytes(blocks.get(0));
    for (int i = 1; i < blocks.size(); i++) {
      most = Math.max(most, bytes(blocks.get(i - 1)) + bytes(blocks.get(i)));
    }
    return most;
  }

  private static long bytes(NetworkGraph graph) {
    return graph.weights().values().stream()
        .mapToLong(shape -> graph.type().byteSize(shape.elementCount()))
        .sum();
  }

  /** Returns the weights that adapters may change, as they are stored. */
  Map<Component, TensorSource> adaptable() {
    Map<Component, TensorSource> stored = new EnumMap<>(Component.class);
    weights.forEach(
        (component, own) -> {
          if (component.isAdaptable()) {
            stored.put(component, own.original());
          }
        });
    return stored;
  }

  /**
   * Fills a slot with a network after a chain of adapters. Weights are converted or merged where
   * the cache does not hold them yet.
   */
  static NetworkSlot slot(
      Shared.Lease<Model> lease,
      Component component,
      AdapterChain chain,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Model model = lease.get();
    WeightCache cache = model.settings.cache();
    Weights own = model.weights.get(component);
    TensorSource base = own.inSessionType(component, cache, listener, cancellation);
    Optional<TensorSource> merged = Optional.empty();
    if (component.isAdaptable() && !chain.changedWeights(component).isEmpty()) {
      merged =
          Optional.of(
              MergedWeights.open(
                  chain,
                  component,
                  own.original(),
                  own.graph().type(),
                  cache,
                  listener,
                  cancellation));
    }
    return new NetworkSlot(
        lease.again(),
        component,
        own.graph(),
        base,
        merged,
        model.settings,
        model.clock,
        model.cancelled);
  }

  /**
   * Loads a network that is opened on demand, unless it is loaded; the caller closes the use. No
   * adapter changes it.
   */
  synchronized NetworkUse use(Component component) throws IOException {
    NetworkSlot slot = onDemand.get(component);
    if (slot == null) {
      slot = openOnDemand(component);
      onDemand.put(component, slot);
    }
    return slot.use();
  }

  private NetworkSlot openOnDemand(Component component) throws IOException {
    Weights own = source.open(component, elementType);
    try {
      TensorSource base =
          own.inSessionType(
              component, settings.cache(), ProgressListener.NONE, new CancellationToken());
      return opened.add(
          new NetworkSlot(
              own, component, own.graph(), base, Optional.empty(), settings, clock, cancelled));
    } catch (Throwable e) {
      try {
        own.close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
