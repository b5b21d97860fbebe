package io.github.urae.onnx.internal.session;

import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.CancellationToken;
import io.github.urae.InferenceException;
import io.github.urae.onnx.internal.graph.GraphSegments;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Collectors;

/**
 * A network that runs block by block, for machines where it does not fit: a session for each block
 * in turn, the next one loaded while the present one runs. No more than two are loaded at a time,
 * so runs follow one another. What goes from block to block stays in native memory. Thread-safe;
 * owns nothing between runs.
 */
public final class BlockwiseNetwork implements LoadedNetwork {

  /** Read at once when weights are fetched ahead. */
  private static final int PIECE_BYTES = 4 << 20;

  private final NetworkGraph whole;
  private final List<NetworkGraph> segments;
  private final TensorSource weights;
  private final Map<String, Tensor> overrides;
  private final SessionSettings settings;
  private final NetworkRuns runs;
  private final ReentrantLock oneRun = new ReentrantLock();

  /** One for all blocks, since they are read one after the other: native, and freed by chance. */
  private ByteBuffer piece;

  private final Set<String> inputs;

  /**
   * Prepares a network; loads nothing.
   *
   * @param graph the network
   * @param weights every weight of the graph, as the graph takes it; must stay open
   * @param overrides weights that replace those of the same name; must stay readable
   * @param settings device, threads, prepacking
   * @param runs hears of the blocks' runs
   * @throws io.github.urae.ModelException if the graph cannot be cut into blocks
   */
  public BlockwiseNetwork(
      NetworkGraph graph,
      TensorSource weights,
      Map<String, Tensor> overrides,
      SessionSettings settings,
      NetworkRuns runs) {
    this.whole = graph;
    this.segments = GraphSegments.cut(graph);
    this.weights = weights;
    this.overrides = Map.copyOf(overrides);
    this.settings = settings;
    this.runs = runs;
    this.inputs = names(graph.graph().getInputList());
  }

  private static Set<String> names(List<ValueInfoProto> values) {
    return values.stream().map(ValueInfoProto::getName).collect(Collectors.toUnmodifiableSet());
  }

  @Override
  public String name() {
    return whole.name();
  }

  @Override
  public boolean takes(String input) {
    return inputs.contains(input);
  }

  @Override
  public float[] run(Map<String, Tensor> given, CancellationToken stop) {
    oneRun.lock();
    try (Bindings bindings = new Bindings(OnnxEngine.environment());
        Carried carried = new Carried()) {
      for (Map.Entry<String, Tensor> input : given.entrySet()) {
        if (takes(input.getKey())) {
          bindings.add(input.getKey(), input.getValue());
        }
      }
      return run(bindings.values(), carried, stop);
    } catch (OrtException e) {
      stop.throwIfCancelled();
      throw OnnxEngine.failed("the " + whole.name() + " failed", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      oneRun.unlock();
    }
  }

  private float[] run(Map<String, OnnxTensor> given, Carried carried, CancellationToken stop)
      throws OrtException, IOException {
    CompletableFuture<NetworkSession> next = load(0, stop);
    try {
      for (int i = 0; i < segments.size(); i++) {
        try (NetworkSession session = loaded(next)) {
          next = i + 1 < segments.size() ? load(i + 1, stop) : null;
          Map<String, OnnxTensor> bound = new HashMap<>();
          for (ValueInfoProto input : segments.get(i).graph().getInputList()) {
            OnnxTensor own = given.get(input.getName());
            bound.put(input.getName(), own == null ? carried.get(input.getName()) : own);
          }
          carried.add(session.runNative(bound, stop));
        }
        carried.keepOnly(neededAfter(i));
      }
      String output = whole.graph().getOutput(0).getName();
      return carried.get(output).getFloatBuffer().array();
    } finally {
      if (next != null) {
        closeWhenLoaded(next);
      }
    }
  }

  private Set<String> neededAfter(int segment) {
    Set<String> needed =
        segments.subList(segment + 1, segments.size()).stream()
            .flatMap(later -> names(later.graph().getInputList()).stream())
            .collect(Collectors.toSet());
    needed.addAll(names(whole.graph().getOutputList()));
    return needed;
  }

  /** Loads a segment on a thread of its own. */
  private CompletableFuture<NetworkSession> load(int index, CancellationToken stop) {
    CompletableFuture<NetworkSession> session = new CompletableFuture<>();
    NativeThreads.start(
        "urae-load-" + index,
        () -> {
          try {
            NetworkGraph segment = segments.get(index);
            readAhead(segment, stop);
            session.complete(open(segment));
          } catch (Throwable e) {
            session.completeExceptionally(e);
          }
        });
    return session;
  }

  private NetworkSession open(NetworkGraph segment) throws IOException {
    Map<String, Tensor> own = new HashMap<>(overrides);
    own.keySet().retainAll(segment.weights().keySet());
    return NetworkSession.open(segment, weights, own, settings, runs);
  }

  /** Brings weights from the disk into the system's cache of file pages. */
  private void readAhead(NetworkGraph segment, CancellationToken stop) throws IOException {
    if (piece == null) {
      piece = ByteBuffer.allocateDirect(PIECE_BYTES);
    }
    for (String name : segment.weights().keySet()) {
      if (!overrides.containsKey(name)) {
        TensorInfo info = weights.tensors().get(name);
        for (long at = 0; at < info.length(); at += PIECE_BYTES) {
          stop.throwIfCancelled();
          weights.read(
              name, at, piece.clear().limit((int) Math.min(PIECE_BYTES, info.length() - at)));
        }
      }
    }
  }

  private static NetworkSession loaded(CompletableFuture<NetworkSession> loading)
      throws IOException {
    try {
      return loading.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      throw new InferenceException("loading a block failed", e.getCause());
    }
  }

  /** The file pages and memory of a block that nobody will run must go before the run ends. */
  private static void closeWhenLoaded(CompletableFuture<NetworkSession> loading)
      throws IOException {
    NetworkSession session = loading.handle((loaded, failure) -> loaded).join();
    if (session != null) {
      session.close();
    }
  }

  /** Each block's memory goes with its session. */
  @Override
  public void giveBackMemory() {}

  @Override
  public void close() {}

  /** Values on their way from block to block. */
  private static final class Carried implements AutoCloseable {

    private final Map<String, OnnxTensor> values = new HashMap<>();

    /** Takes over all values of a result. */
    void add(OrtSession.Result result) {
      for (Map.Entry<String, OnnxValue> value : result) {
        values.put(value.getKey(), (OnnxTensor) value.getValue());
      }
    }

    OnnxTensor get(String name) {
      return values.get(name);
    }

    void keepOnly(Set<String> names) {
      values
          .entrySet()
          .removeIf(
              value -> {
                if (names.contains(value.getKey())) {
                  return false;
                }
                value.getValue().close();
                return true;
              });
    }

    @Override
    public void close() {
      keepOnly(Set.of());
    }
  }
}
