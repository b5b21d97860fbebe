package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.adapter.internal.merge.MergedWeights;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.GraphWeight;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.WeightForm;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.CacheKey;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.TransposedElements;
import io.github.urae.weights.internal.WeightCache;
import io.github.urae.weights.internal.WeightConversion;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The weights of one network: the user's own files, and where those have another element type than
 * the session, a converted copy in the cache. Thread-safe; owns the open files.
 */
public final class Weights implements Closeable {

  /** What a session may hold in memory of its own: FLUX.1's largest such tensor takes 76 MB. */
  private static final long MAX_MEMORY_BYTES = 128L << 20;

  private final NetworkGraph graph;
  private final TensorSource original;
  private final Set<String> changed;
  private final OwnedResources opened;
  private TensorSource inSession;

  private Weights(
      NetworkGraph graph, TensorSource original, Set<String> changed, OwnedResources opened) {
    this.changed = Set.copyOf(changed);
    this.graph = graph;
    this.original = original;
    this.opened = opened;
  }

  /**
   * Takes weights from any source and checks names, shapes and types against the graph.
   *
   * @param graph the network
   * @param source holds every weight of the graph under its name; owned by the result, and closed
   *     if it does not fit
   * @return the weights; the caller closes them
   * @throws io.github.urae.ModelException if a weight is missing or does not fit the graph
   */
  public static Weights of(NetworkGraph graph, TensorSource source) {
    return of(graph, source, Set.of());
  }

  /**
   * The same where a session will be given what adapters make of some weights.
   *
   * @param graph the network
   * @param source as above
   * @param changed names of these weights in the checkpoint
   * @return the weights; the caller closes them
   * @throws io.github.urae.ModelException as above
   */
  public static Weights of(NetworkGraph graph, TensorSource source, Set<String> changed) {
    OwnedResources opened = new OwnedResources();
    try {
      TensorSource original = opened.add(source);
      WeightCheck.check(graph, original);
      return new Weights(graph, original, changed, opened);
    } catch (Throwable e) {
      opened.closeAfter(e);
      throw e;
    }
  }

  /**
   * Returns the network.
   *
   * @return the graph that the weights fit
   */
  public NetworkGraph graph() {
    return graph;
  }

  /**
   * Returns the weights as the user stores them.
   *
   * @return open until this is closed
   */
  public TensorSource original() {
    return original;
  }

  /**
   * Returns the weights as the graph takes them, by their names in the graph, but for those that a
   * session will be given. Those that do not lie so in the user's files are written to the cache
   * first, unless they are there.
   *
   * @param component what the listener is told that the network is
   * @param cache where they go
   * @param listener hears of the conversion
   * @param cancellation ends the conversion
   * @return open until this is closed; the same as {@link #original()} where nothing is converted
   * @throws IOException if a file cannot be read or written
   */
  public synchronized TensorSource inSessionType(
      Component component,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    if (inSession == null) {
      inSession = prepare(component, cache, listener, cancellation);
    }
    return inSession;
  }

  private TensorSource prepare(
      Component component,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Map<String, GraphWeight> needed = new LinkedHashMap<>(graph.weights());
    needed.keySet().removeAll(graph.changedWith(changed).keySet());
    Map<String, TensorInfo> inPlace = new LinkedHashMap<>();
    Map<String, TensorInfo> inMemory = new LinkedHashMap<>();
    needed.forEach(
        (name, weight) -> {
          TensorInfo stored = original.tensors().get(weight.form().parameter());
          Optional<TensorInfo> place = weight.form().place(stored, weight.type());
          if (place.isPresent() && isReadableInPlace(place.get())) {
            inPlace.put(name, place.get());
          } else if (isRearranged(stored, weight)) {
            inMemory.put(name, stored);
          }
        });
    if (bytes(inMemory.keySet()) <= MAX_MEMORY_BYTES) {
      inPlace.putAll(inMemory);
    }
    boolean asStored =
        needed.keySet().stream()
                .allMatch(
                    name -> original.find(name).equals(Optional.ofNullable(inPlace.get(name))))
            && inPlace.size() == needed.size();
    if (asStored) {
      return original;
    }
    if (!onOneDrive(original.files(), cache.folder())) {
      inPlace.clear(); // ONNX Runtime finds files below one folder only.
    }
    List<TensorInfo> all = new ArrayList<>();
    inPlace.forEach((name, info) -> all.add(renamed(info, name)));
    List<String> others = new ArrayList<>(needed.keySet());
    others.removeAll(inPlace.keySet());
    if (!others.isEmpty()) {
      TensorSource written = opened.add(convert(others, component, cache, listener, cancellation));
      if (all.isEmpty()) {
        return written;
      }
      all.addAll(written.tensors().values());
    }
    return opened.add(PlacedTensors.open(all));
  }

  /**
   * Returns what the graph takes of some weights that adapters change.
   *
   * @param parameters names of weights in the checkpoint
   * @return the tensors, those of one weight one after the other
   */
  public List<MergedWeights.Derived> changedWith(Set<String> parameters) {
    List<MergedWeights.Derived> tensors = new ArrayList<>();
    graph
        .changedWith(parameters)
        .forEach(
            (name, weight) ->
                tensors.add(
                    new MergedWeights.Derived(
                        new SafetensorsWriter.Declaration(
                            name, weight.type(), weight.storedShape()),
                        weight.form().parameter(),
                        weight.form().description(),
                        (weightAfter, sink) ->
                            weight
                                .form()
                                .write(weight.form().sourceOf(weightAfter), weight.type(), sink))));
    return tensors;
  }

  private long bytes(Collection<String> names) {
    return names.stream().mapToLong(name -> graph.weights().get(name).byteSize()).sum();
  }

  /**
   * Tells whether a weight's bytes only have to be put in order or moved: a copy in memory takes no
   * more than the weight does in the file.
   */
  private static boolean isRearranged(TensorInfo stored, GraphWeight weight) {
    return weight.form().parameterShape().equals(weight.shape())
        && stored.type() == weight.type()
        && stored.length() == weight.byteSize();
  }

  private static TensorInfo renamed(TensorInfo info, String name) {
    return new TensorInfo(
        name, info.encoding(), info.shape(), info.file(), info.offset(), info.length());
  }

  private static boolean onOneDrive(List<Path> files, Path folder) throws IOException {
    Path root = folder.toAbsolutePath().getRoot();
    for (Path file : files) {
      if (!file.toRealPath().getRoot().equals(root)) {
        return false;
      }
    }
    return true;
  }

  private TensorSource convert(
      List<String> names,
      Component component,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    List<SafetensorsWriter.Declaration> declarations = new ArrayList<>();
    CacheKey key = new CacheKey("converted weights 3").addCheckpoint(original);
    for (String name : names) {
      GraphWeight weight = graph.weights().get(name);
      WeightForm form = weight.form();
      declarations.add(
          new SafetensorsWriter.Declaration(name, weight.type(), weight.storedShape()));
      key.add(name).add(weight.type()).add(weight.storedShape());
      key.add(form.parameter()).add(form.description());
      key.add(original.tensors().get(form.parameter()).encoding().name());
    }
    WeightCache.Content content =
        file ->
            WeightConversion.write(
                original,
                declarations,
                (name, sink) -> {
                  GraphWeight weight = graph.weights().get(name);
                  weight.form().write(original, weight.type(), sink);
                },
                file,
                component.id(),
                listener,
                cancellation);
    return cache.open(
        key,
        declarations,
        Map.of("source", original.files().get(0).toString()),
        content,
        listener,
        cancellation);
  }

  /**
   * Tells whether ONNX Runtime can read a weight where it lies: its elements, or those of its
   * transpose, aligned. Weights inside a {@code model.onnx} lie wherever the names before them end.
   */
  static boolean isReadableInPlace(TensorInfo info) {
    return (info.encoding().isPlain() || info.encoding() instanceof TransposedElements)
        && info.offset() % (info.type().bits() / Byte.SIZE) == 0;
  }

  /** Copies the values of a weight into memory, in their own type. */
  static Tensor inMemory(TensorSource source, String name) throws IOException {
    TensorInfo info = source.tensors().get(name);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(
            Math.toIntExact(info.type().byteSize(info.shape().elementCount())));
    WeightConversion.values(source, name, info.type(), bytes::put);
    return Tensor.view(info.type(), info.shape(), bytes.flip(), info.toString());
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
