package io.github.urae.onnx.internal.model;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.adapter.internal.match.NetworkFingerprint;
import io.github.urae.adapter.internal.merge.MergedWeights;
import io.github.urae.adapter.internal.merge.WeightMerger;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.Lease;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.Adaptation;
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
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.Closeable;
import java.io.IOException;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
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
   * @param present graphs of the networks that are there, and loaded already where they stay so
   */
  long heldWeights(Component running, Map<Component, NetworkGraph> present) throws IOException {
    SessionSettings sessions = settings.sessions();
    if (sessions.device() instanceof Device.Cpu && !sessions.prepacking()) {
      return 0;
    }
    if (settings.offload() == Offload.ALL) {
      long held = present.containsKey(running) ? 0 : held(weights(running).graph());
      for (NetworkGraph staying : present.values()) {
        held += held(staying);
      }
      return held;
    }
    NetworkGraph graph =
        present.containsKey(running) ? present.get(running) : weights(running).graph();
    if (settings.offload() == Offload.ONE_AT_A_TIME || !running.hasBlocks()) {
      return held(graph);
    }
    List<NetworkGraph> blocks = GraphSegments.cut(graph);
    long most = held(blocks.get(0));
    for (int i = 1; i < blocks.size(); i++) {
      most = Math.max(most, held(blocks.get(i - 1)) + held(blocks.get(i)));
    }
    return most;
  }

  private long held(NetworkGraph graph) {
    return settings.sessions().device() instanceof Device.Cpu
        ? graph.rearrangedBytes()
        : graph.weightBytes();
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

  /**
   * The same after a chain of adapters. What it makes of weights is computed unless it is cached.
   */
  static Lease<NetworkSlot> slot(
      Lease<Model> lease,
      Component component,
      AdapterChain chain,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Model model = lease.get();
    Set<String> changed =
        component.isAdaptable() ? model.changed(component, chain) : Set.<String>of();
    if (changed.isEmpty()) {
      return slot(lease, component, listener, cancellation);
    }
    WeightCache cache = model.settings.cache();
    OwnedResources owned = new OwnedResources();
    try {
      Lease<Model> held = owned.add(lease.another());
      Weights own = model.adapted(component, chain, owned);
      TensorSource base = own.inSessionType(component, cache, listener, cancellation);
      TensorSource after =
          owned.add(
              own.graph().notTakenAsValues(changed).isEmpty()
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
                      own.changedWith(changed),
                      cache,
                      listener,
                      cancellation));
      return Lease.of(
          new NetworkSlot(held, component, own.graph(), base, Optional.of(after), owned));
    } catch (Throwable e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  /** Returns the weights that a chain changes; at scale 0 nothing does. */
  private Set<String> changed(Component component, AdapterChain chain) throws IOException {
    WeightMerger merger = new WeightMerger(chain, component, weights(component).original());
    Set<String> changed = new LinkedHashSet<>(chain.changedWeights(component));
    changed.removeIf(weight -> merger.rank(weight).equals(OptionalInt.of(0)));
    return changed;
  }

  /**
   * Returns what becomes of the layers that cannot be given other values of their weights.
   *
   * <p>Integers are made of merged weights as of stored ones, and rounded as these are. In all
   * else, changes of low rank are computed beside weights that are rounded, and nothing of them is
   * lost.
   */
  private Map<String, Adaptation> adaptations(Component component, AdapterChain chain)
      throws IOException {
    Weights own = weights(component);
    Set<String> changed = changed(component, chain);
    Map<String, Adaptation> adaptations = new HashMap<>();
    if (arithmetic(component).linear().isOfIntegers()) {
      own.graph()
          .takenAsStored(changed)
          .forEach(weight -> adaptations.put(weight, new Adaptation.Merged()));
      return adaptations;
    }
    WeightMerger merger = new WeightMerger(chain, component, own.original());
    for (String weight : own.graph().notTakenAsValues(changed)) {
      Shape shape = own.original().tensors().get(weight).shape();
      OptionalInt rank = merger.rank(weight);
      adaptations.put(
          weight,
          rank.isPresent()
              ? Adaptation.of(rank.getAsInt(), shape.dimension(0), shape.dimension(1))
              : new Adaptation.Merged());
    }
    return adaptations;
  }

  /**
   * Returns a network's graph and weights, of a graph that takes what a chain makes of some
   * weights.
   *
   * @param owned gets what is opened for that
   */
  private Weights adapted(Component component, AdapterChain chain, OwnedResources owned)
      throws IOException {
    Map<String, Adaptation> adaptations = adaptations(component, chain);
    return adaptations.isEmpty()
        ? weights(component)
        : owned.add(source.open(component, arithmetic(component).adapting(adaptations)));
  }

  /** Makes sure that a network that a chain changes can be changed, or is in the cache. */
  void checkAdaptable(Component component, AdapterChain chain) throws IOException {
    OwnedResources owned = new OwnedResources();
    try {
      Set<String> changed = changed(component, chain);
      Weights own = adapted(component, chain, owned);
      if (own.graph().notTakenAsValues(changed).isEmpty()) {
        MergedWeights.check(
            chain, component, own.original(), own.graph()::typeOf, settings.cache());
      } else {
        MergedWeights.checkDerived(
            chain, component, own.original(), own.changedWith(changed), settings.cache());
      }
    } catch (Throwable e) {
      owned.closeAfter(e);
      throw e;
    }
    owned.close();
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
