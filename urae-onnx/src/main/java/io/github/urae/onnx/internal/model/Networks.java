package io.github.urae.onnx.internal.model;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.adapter.AdapterSpec;
import io.github.urae.adapter.UnmatchedKey;
import io.github.urae.adapter.internal.match.AdapterChain;
import io.github.urae.device.Device;
import io.github.urae.device.Offload;
import io.github.urae.flux.model.Component;
import io.github.urae.flux.model.ModelInfo;
import io.github.urae.flux.model.internal.Checkpoint;
import io.github.urae.internal.Lease;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.onnx.internal.tokenizer.Tokenizer;
import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorSource;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The networks of a model with one chain of adapters: what a generation holds from its beginning to
 * its end. Never changes; other adapters make other networks, which share the slots whose weights
 * are the same. Thread-safe; owns its hold on model and slots.
 */
public final class Networks implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(Networks.class);

  /**
   * A slot and what its weights depend on.
   *
   * @param recipe the content and scale of each adapter that changes the network, in order
   */
  private record Filled(List<String> recipe, Lease<NetworkSlot> slot) {}

  private final Lease<Model> model;
  private final List<AdapterSpec> adapters;
  private final boolean whenNeeded;
  private final Map<Component, Filled> slots = new EnumMap<>(Component.class);
  private final OwnedResources held = new OwnedResources();
  private List<UnmatchedKey> unmatched = List.of();

  private Networks(Lease<Model> model, List<AdapterSpec> adapters, boolean whenNeeded) {
    this.model = held.add(model);
    this.adapters = List.copyOf(adapters);
    this.whenNeeded = whenNeeded;
  }

  /**
   * Opens a model's networks.
   *
   * @param source where the model is stored
   * @param adapters applied in order; may be empty
   * @param listener hears of conversion and merging
   * @param cancellation ends them
   * @return the networks; the caller closes them
   * @throws IOException if a file is missing or cannot be read or written
   * @throws io.github.urae.UraeException if a file is damaged or does not fit
   */
  public static Networks open(
      ModelSource source,
      PipelineSettings settings,
      List<AdapterSpec> adapters,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    return open(source, settings, adapters, false, listener, cancellation);
  }

  /**
   * Opens a model's networks, all of them or none yet.
   *
   * @param whenNeeded whether a network that no adapter changes is converted and loaded by its
   *     first use
   * @see #open(ModelSource, PipelineSettings, List, ProgressListener, CancellationToken)
   */
  public static Networks open(
      ModelSource source,
      PipelineSettings settings,
      List<AdapterSpec> adapters,
      boolean whenNeeded,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Lease<Model> model = Lease.of(Model.open(source, settings));
    return new Networks(model, adapters, whenNeeded).filled(Map.of(), listener, cancellation);
  }

  /**
   * Makes networks of the same model with other adapters. These stay as they are, also where that
   * fails; they must be held meanwhile.
   *
   * @return networks that share with these what is the same in both; the caller closes them
   */
  public Networks with(
      List<AdapterSpec> others, ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    Map<Component, Filled> before;
    synchronized (this) {
      before = new EnumMap<>(slots);
    }
    return new Networks(model.another(), others, whenNeeded).filled(before, listener, cancellation);
  }

  private AdapterChain openChain() throws IOException {
    Map<Component, TensorSource> weights = model().adaptable();
    try {
      return AdapterChain.open(
          adapters, checkpoint().family(), weights, model().settings().adapterOptions());
    } catch (AdapterException e) {
      String remarks =
          weights.values().stream()
              .flatMap(source -> source.remark().stream())
              .collect(Collectors.joining("; "));
      throw remarks.isEmpty() ? e : new AdapterException(e.getMessage() + "; " + remarks, e);
    }
  }

  private Networks filled(
      Map<Component, Filled> before, ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    try (AdapterChain chain = openChain()) {
      unmatched = chain.unmatched();
      unmatched.forEach(
          key ->
              LOG.warn("{}: '{}' changes nothing in this model", key.adapter().path(), key.key()));
      for (Component component : chain.changedNetworks()) {
        Filled old = before.get(component);
        if (old == null || !old.recipe().equals(chain.recipeOf(component))) {
          model().checkAdaptable(component, chain);
        }
      }
      for (Component component : checkpoint().family().networks()) {
        Filled old = before.get(component);
        List<String> recipe =
            component.isAdaptable() ? chain.recipeOf(component) : List.<String>of();
        boolean later = component.isOnDemand() || (whenNeeded && recipe.isEmpty());
        if (later && old == null) {
          continue;
        }
        fill(
            component,
            recipe,
            old != null && old.recipe().equals(recipe)
                ? old.slot().another()
                : Model.slot(model, component, chain, listener, cancellation),
            listener);
      }
      return this;
    } catch (Throwable e) {
      held.closeAfter(e);
      throw e;
    }
  }

  private Model model() {
    return model.get();
  }

  public Checkpoint checkpoint() {
    return model().checkpoint();
  }

  public Device device() {
    return model().settings().sessions().device();
  }

  /** Returns the element type that a text encoder or the transformer computes in. */
  public ElementType elementType(Component component) {
    return model().arithmetic(component).type();
  }

  /** Returns the adapters, in order. */
  public List<AdapterSpec> adapters() {
    return adapters;
  }

  /** Returns the keys of adapters that change nothing. */
  public List<UnmatchedKey> unmatched() {
    return unmatched;
  }

  /** Returns what applications may know of the model. */
  public ModelInfo info() {
    return checkpoint().info(model().t5Tokenizer().maxLength());
  }

  public int maxTextTokens() {
    return checkpoint().maxTextTokens(model().t5Tokenizer().maxLength());
  }

  public long nativeTokens() {
    return checkpoint().nativeTokens(model().t5Tokenizer().maxLength());
  }

  /** Loads a network unless it is loaded; the caller closes the use. */
  public NetworkUse use(Component component) throws IOException {
    return use(component, ProgressListener.NONE, new CancellationToken());
  }

  /**
   * Loads a network unless it is loaded; the caller closes the use.
   *
   * @param listener told of the loading, unless all networks stay loaded and this one is
   * @param cancellation ends the conversion of weights that few generations need
   * @throws io.github.urae.GenerationCancelledException if it was cancelled meanwhile
   */
  public NetworkUse use(
      Component component, ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    Lease<NetworkSlot> slot = slot(component, listener, cancellation);
    return sessionsStay() ? NetworkSlot.use(slot) : load(component, slot, listener);
  }

  /** Those that few generations need are opened when one does. */
  private synchronized Lease<NetworkSlot> slot(
      Component component, ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    if (!slots.containsKey(component)) {
      fill(component, List.of(), Model.slot(model, component, listener, cancellation), listener);
    }
    return slots.get(component).slot();
  }

  private synchronized void fill(
      Component component, List<String> recipe, Lease<NetworkSlot> slot, ProgressListener listener)
      throws IOException {
    slots.put(component, new Filled(recipe, held.add(slot)));
    if (sessionsStay()) {
      held.add(load(component, slot, listener)); // To stay.
    }
  }

  private static NetworkUse load(
      Component component, Lease<NetworkSlot> slot, ProgressListener listener) throws IOException {
    long start = System.nanoTime();
    listener.onProgress(loading(component, 0, start));
    NetworkUse use = NetworkSlot.use(slot);
    try {
      listener.onProgress(loading(component, 1, start));
      return use;
    } catch (Throwable e) {
      use.close();
      throw e;
    }
  }

  private static StageProgress loading(Component component, int done, long start) {
    return new StageProgress(
        Stage.LOADING,
        Optional.of(component.id()),
        done,
        1,
        StageProgress.Unit.NETWORKS,
        Duration.ofNanos(System.nanoTime() - start),
        Optional.empty());
  }

  /** Returns a digest of the base weights of a network. */
  public String fingerprint(Component component) throws IOException {
    return model().fingerprint(component);
  }

  public Tokenizer clipTokenizer() {
    return model().clipTokenizer();
  }

  public Tokenizer t5Tokenizer() {
    return model().t5Tokenizer();
  }

  /** Tells whether networks stay loaded from one use to the next. */
  public boolean sessionsStay() {
    return model().settings().offload() == Offload.ALL;
  }

  /**
   * Returns the bytes of weights that are held in memory, not as file pages, while a network runs.
   */
  public long heldWeights(Component running) {
    Map<Component, NetworkGraph> graphs = new EnumMap<>(Component.class);
    synchronized (this) {
      slots.forEach((component, filled) -> graphs.put(component, filled.slot().get().graph()));
    }
    try {
      long held = model().heldWeights(running, graphs);
      if (sessionsStay()) {
        // A generation loads these before it ends, and they stay as well.
        for (Component other : checkpoint().family().networks()) {
          if (other != running && !other.isOnDemand() && !graphs.containsKey(other)) {
            held += model().heldWeights(other, Map.of());
          }
        }
      }
      return held;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the most bytes that a generation may be expected to take. */
  public OptionalLong memoryLimit() {
    return model().settings().memoryLimit();
  }

  /** Waits until the memory of cancelled runs is free again. */
  public void awaitCancelledRuns(CancellationToken cancellation) {
    model().runs().awaitCancelled(cancellation);
  }

  public long nanosInRuntime() {
    return model().runs().nanos();
  }

  @Override
  public void close() throws IOException {
    held.close();
  }
}
