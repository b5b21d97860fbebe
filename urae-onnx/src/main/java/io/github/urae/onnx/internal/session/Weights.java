package io.github.urae.onnx.internal.session;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.CacheKey;
import io.github.urae.weights.internal.TransposedElements;
import io.github.urae.weights.internal.WeightCache;
import io.github.urae.weights.internal.WeightConversion;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Map;

/**
 * The weights of one network: the user's own files, and where those have another element type than
 * the session, a converted copy in the cache. Thread-safe; owns the open files.
 */
public final class Weights implements Closeable {

  /** What a session may hold in memory of its own: FLUX.1's largest such tensor takes 76 MB. */
  private static final long MAX_SCATTERED_BYTES = 128L << 20;

  private final NetworkGraph graph;
  private final TensorSource original;
  private final OwnedResources opened;
  private TensorSource converted;

  private Weights(NetworkGraph graph, TensorSource original, OwnedResources opened) {
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
    OwnedResources opened = new OwnedResources();
    try {
      TensorSource original = opened.add(source);
      WeightCheck.check(graph, original);
      return new Weights(graph, original, opened);
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
   * Returns the weights in the session's element type. Where any weight has another, or many do not
   * lie in one piece, all are written to the cache in that type first, unless they are there.
   *
   * @param component what the listener is told that the network is
   * @param cache where the copy goes
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
    boolean sameType =
        graph.weights().keySet().stream()
            .allMatch(name -> original.tensors().get(name).type() == graph.type());
    long scattered =
        graph.weights().keySet().stream()
            .map(name -> original.tensors().get(name))
            .filter(info -> !isReadableInPlace(info))
            .mapToLong(info -> info.type().byteSize(info.shape().elementCount()))
            .sum();
    if (sameType && scattered <= MAX_SCATTERED_BYTES) {
      return original;
    }
    if (converted == null) {
      converted = opened.add(convert(component, cache, listener, cancellation));
    }
    return converted;
  }

  private TensorSource convert(
      Component component,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    Collection<String> names = graph.weights().keySet();
    CacheKey key =
        new CacheKey("converted weights 1")
            .addCheckpoint(original)
            .add(graph.name())
            .add(graph.type());
    names.forEach(key::add);
    WeightCache.Producer producer =
        target ->
            WeightConversion.convert(
                original,
                names,
                graph.type(),
                target,
                Map.of("source", original.files().get(0).toString()),
                component.id(),
                listener,
                cancellation);
    long size = WeightConversion.byteSize(original, names, graph.type());
    try (WeightCache.Lease lease = cache.obtain(key, size, producer)) {
      return SafetensorsFile.open(lease.file());
    }
  }

  /**
   * Tells whether ONNX Runtime can read a weight where it lies: its elements, or those of its
   * transpose, aligned. Weights inside a {@code model.onnx} lie wherever the names before them end.
   */
  static boolean isReadableInPlace(TensorInfo info) {
    return (info.encoding().isPlain() || info.encoding() instanceof TransposedElements)
        && info.offset() % (info.type().bits() / Byte.SIZE) == 0;
  }

  /** Copies a weight into memory, in the type of its values. */
  static Tensor inMemory(TensorSource source, String name) throws IOException {
    TensorInfo info = source.tensors().get(name);
    float[] values = new float[Math.toIntExact(info.shape().elementCount())];
    source.readFloats(name, 0, values, 0, values.length);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.toIntExact(info.type().byteSize(values.length)));
    Elements.fromFloats(info.type(), values, 0, values.length, bytes);
    return Tensor.view(info.type(), info.shape(), bytes.flip(), info.toString());
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
