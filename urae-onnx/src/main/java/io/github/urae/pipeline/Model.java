package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.AdapterChain;
import io.github.urae.adapter.MergedWeights;
import io.github.urae.adapter.Network;
import io.github.urae.cache.WeightCache;
import io.github.urae.graph.GraphSegments;
import io.github.urae.graph.NetworkGraph;
import io.github.urae.internal.OwnedResources;
import io.github.urae.safetensors.TensorSource;
import io.github.urae.session.Device;
import io.github.urae.session.RuntimeClock;
import io.github.urae.session.SessionSettings;
import io.github.urae.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tokenizer.ClipTokenizer;
import io.github.urae.tokenizer.T5Tokenizer;
import io.github.urae.tokenizer.Tokenizer;
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
  private final FluxCheckpoint checkpoint;
  private final PipelineSettings settings;
  private final ElementType elementType;
  private final RuntimeClock clock = new RuntimeClock();
  private final CancelledRuns cancelled = new CancelledRuns();
  private final OwnedResources opened = new OwnedResources();
  private final Map<Part, Weights> weights = new EnumMap<>(Part.class);
  private final Map<Part, NetworkSlot> onDemand = new EnumMap<>(Part.class);
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
      for (Part part : Part.values()) {
        if (!part.onDemand()) {
          model.weights.put(part, model.opened.add(source.open(part, model.elementType)));
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
    Path cacheFolder = settings.cache().folder();
    clipTokenizer = opened.add(ClipTokenizer.open(folder.resolve("tokenizer"), cacheFolder));
    t5Tokenizer =
        opened.add(
            T5Tokenizer.open(
                folder.resolve("tokenizer_2"),
                checkpoint.t5().endToken(),
                checkpoint.t5().padToken(),
                cacheFolder));
  }

  FluxCheckpoint checkpoint() {
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
  long heldWeights(Part running) {
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
  Map<Network, TensorSource> adaptable() {
    Map<Network, TensorSource> stored = new EnumMap<>(Network.class);
    weights.forEach(
        (part, own) -> part.network().ifPresent(name -> stored.put(name, own.original())));
    return stored;
  }

  /**
   * Fills a slot with a network after a chain of adapters. Weights are converted or merged where
   * the cache does not hold them yet.
   */
  static NetworkSlot slot(
      Shared.Lease<Model> lease,
      Part part,
      AdapterChain chain,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Model model = lease.get();
    WeightCache cache = model.settings.cache();
    Weights own = model.weights.get(part);
    TensorSource base = own.inSessionType(cache, listener, cancellation);
    Optional<TensorSource> merged = Optional.empty();
    if (part.network().isPresent() && !chain.changedWeights(part.network().get()).isEmpty()) {
      merged =
          Optional.of(
              MergedWeights.open(
                  chain,
                  part.network().get(),
                  own.original(),
                  own.graph().type(),
                  cache,
                  listener,
                  cancellation));
    }
    return new NetworkSlot(
        lease.again(),
        part,
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
  synchronized NetworkUse use(Part part) throws IOException {
    NetworkSlot slot = onDemand.get(part);
    if (slot == null) {
      slot = openOnDemand(part);
      onDemand.put(part, slot);
    }
    return slot.use();
  }

  private NetworkSlot openOnDemand(Part part) throws IOException {
    Weights own = source.open(part, elementType);
    try {
      TensorSource base =
          own.inSessionType(settings.cache(), ProgressListener.NONE, new CancellationToken());
      return opened.add(
          new NetworkSlot(
              own, part, own.graph(), base, Optional.empty(), settings, clock, cancelled));
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
