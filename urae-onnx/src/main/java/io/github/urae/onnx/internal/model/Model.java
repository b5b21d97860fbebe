package io.github.urae.onnx.internal.model;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.NetworkFingerprint;
import io.github.urae.adapter.internal.merge.MergedWeights;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.Lease;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.Arithmetic;
import io.github.urae.onnx.internal.graph.GraphSegments;
import io.github.urae.onnx.internal.graph.LinearArithmetic;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.T5EncoderGraph;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.onnx.internal.session.Weights;
import io.github.urae.onnx.internal.tokenizer.ClipTokenizer;
import io.github.urae.onnx.internal.tokenizer.T5Tokenizer;
import io.github.urae.onnx.internal.tokenizer.Tokenizer;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.Closeable;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A stored model, open and checked: tokenizers, graphs, and base weights. What adapters change is
 * made from it, and never changes it. Thread-safe; owns the open files.
 */
final class Model implements Closeable {

  private final ModelSource source;
  private final Checkpoint checkpoint;
  private final PipelineSettings settings;
  private final NetworkRuns runs;
  private final OwnedResources opened = new OwnedResources();
  private final Map<Component, Weights> weights = new EnumMap<>(Component.class);
  private Tokenizer clipTokenizer;
  private Tokenizer t5Tokenizer;

  private Model(ModelSource source, PipelineSettings settings) {
    this.source = source;
    this.checkpoint = source.checkpoint();
    this.settings = settings;
    this.runs = new NetworkRuns(settings.cache().folder());
  }

  /** Opens and checks what every generation needs; loads nothing. The caller closes the model. */
  static Model open(ModelSource source, PipelineSettings settings) throws IOException {
    Model model = new Model(source, settings);
    try {
      model.openTokenizers();
      for (Component component : source.checkpoint().family().networks()) {
        if (!component.isOnDemand()) {
          model.weights(component);
        }
      }
      return model;
    } catch (Throwable e) {
      model.opened.closeAfter(e);
      throw e;
    }
  }

  private void openTokenizers() throws IOException {
    clipTokenizer = opened.add(ClipTokenizer.open(checkpoint.place(Component.TOKENIZER)));
    t5Tokenizer =
        opened.add(
            T5Tokenizer.open(
                checkpoint.place(Component.TOKENIZER_2),
                checkpoint.t5().endToken(),
                checkpoint.t5().padToken()));
  }

  Checkpoint checkpoint() {
    return checkpoint;
  }

  PipelineSettings settings() {
    return settings;
  }

  Tokenizer clipTokenizer() {
    return clipTokenizer;
  }

  Tokenizer t5Tokenizer() {
    return t5Tokenizer;
  }

  /** Returns what is known of the runs of all networks. */
  NetworkRuns runs() {
    return runs;
  }

  /** Returns what a text encoder or the transformer computes in. */
  Arithmetic arithmetic(Component component) {
    Arithmetic asked = settings.arithmetic();
    return switch (component) {
      case TEXT_ENCODER ->
          // So small that nothing is gained.
          asked.linear().isOfIntegers()
              ? new Arithmetic(asked.type(), LinearArithmetic.AS_STORED)
              : asked;
      case TEXT_ENCODER_2 -> new Arithmetic(T5EncoderGraph.typeFor(asked.type()), asked.linear());
      default -> asked;
    };
  }

  /** Returns a network's graph and weights, opened when first asked for where that is on demand. */
  private synchronized Weights weights(Component component) throws IOException {
    Weights own = weights.get(component);
    if (own == null) {
      own = opened.add(source.open(component, arithmetic(component)));
      weights.put(component, own);
    }
    return own;
  }

  /** Returns a digest of the base weights of a network, those that its graph takes. */
  String fingerprint(Component component) throws IOException {
    return NetworkFingerprint.of(component, weights(component).original());
  }

  /**
   * Returns the bytes of weights that are held in memory, not as file pages, while a network runs:
   * on a GPU and where ONNX Runtime has copied them.
   *
   * @param staying networks that are loaded already, where they stay so
   */
  long heldWeights(Component running, Set<Component> staying) throws IOException {
    SessionSettings sessions = settings.sessions();
    if (sessions.device() instanceof Device.Cpu && !sessions.prepacking()) {
      return 0;
    }
    NetworkGraph graph = weights(running).graph();
    if (settings.offload() == Offload.ALL) {
      long held = staying.contains(running) ? 0 : graph.weightBytes();
      for (Component component : staying) {
        held += weights(component).graph().weightBytes();
      }
      return held;
    }
    if (settings.offload() == Offload.ONE_AT_A_TIME || !running.hasBlocks()) {
      return graph.weightBytes();
    }
    List<NetworkGraph> blocks = GraphSegments.cut(graph);
    long most = blocks.get(0).weightBytes();
    for (int i = 1; i < blocks.size(); i++) {
      most = Math.max(most, blocks.get(i - 1).weightBytes() + blocks.get(i).weightBytes());
    }
    return most;
  }

  /** Returns the weights that adapters may change, as they are stored. */
  Map<Component, TensorSource> adaptable() throws IOException {
    Map<Component, TensorSource> stored = new EnumMap<>(Component.class);
    for (Component component : checkpoint.family().networks()) {
      if (component.isAdaptable()) {
        stored.put(component, weights(component).original());
      }
    }
    return stored;
  }

  /**
   * Fills a slot with a network as the checkpoint has it. Weights are converted where the cache
   * does not hold them yet.
   */
  static Lease<NetworkSlot> slot(
      Lease<Model> lease,
      Component component,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Model model = lease.get();
    Weights own = model.weights(component);
    TensorSource base =
        own.inSessionType(component, model.settings.cache(), listener, cancellation);
    OwnedResources owned = new OwnedResources();
    return Lease.of(
        new NetworkSlot(
            owned.add(lease.another()), component, own.graph(), base, Optional.empty(), owned));
  }

  /** The same after a chain of adapters. Weights are merged where the cache does not hold them. */
  static Lease<NetworkSlot> slot(
      Lease<Model> lease,
      Component component,
      AdapterChain chain,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    if (!component.isAdaptable() || chain.changedWeights(component).isEmpty()) {
      return slot(lease, component, listener, cancellation);
    }
    Model model = lease.get();
    WeightCache cache = model.settings.cache();
    Set<String> changed = chain.changedWeights(component);
    OwnedResources owned = new OwnedResources();
    try {
      Lease<Model> held = owned.add(lease.another());
      Weights own = model.replaceable(component, changed, owned);
      TensorSource base = own.inSessionType(component, cache, listener, cancellation);
      TensorSource merged =
          owned.add(
              own.graph().takesValuesOf(changed)
                  ? MergedWeights.open(
                      chain,
                      component,
                      own.original(),
                      own.graph()::typeOf,
                      cache,
                      listener,
                      cancellation)
                  : MergedWeights.openDerived(
                      chain,
                      component,
                      own.original(),
                      own.madeOf(changed),
                      cache,
                      listener,
                      cancellation));
      return Lease.of(
          new NetworkSlot(held, component, own.graph(), base, Optional.of(merged), owned));
    } catch (Throwable e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  /**
   * Returns a network's graph and weights, of a graph that takes the values of some weights, or
   * tensors that are made of any as well as of the checkpoint's.
   *
   * @param replaced those weights
   * @param owned gets what is opened for that
   */
  private Weights replaceable(Component component, Set<String> replaced, OwnedResources owned)
      throws IOException {
    Weights own = weights(component);
    // Integers are made of merged weights as of stored ones, where they are not stored themselves.
    Set<String> plain =
        arithmetic(component).linear().isOfIntegers()
            ? own.graph().takenAsStored(replaced)
            : replaced;
    return own.graph().takesValuesOf(plain)
        ? own
        : owned.add(source.open(component, arithmetic(component).replacing(plain)));
  }

  /** Makes sure that a network that a chain changes can be merged, or is in the cache. */
  void checkMergeable(Component component, AdapterChain chain) throws IOException {
    Weights own = weights(component);
    Set<String> changed = chain.changedWeights(component);
    if (arithmetic(component).linear().isOfIntegers() && !own.graph().takesValuesOf(changed)) {
      MergedWeights.checkDerived(
          chain, component, own.original(), own.madeOf(changed), settings.cache());
    } else {
      MergedWeights.check(chain, component, own.original(), own.graph()::typeOf, settings.cache());
    }
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
