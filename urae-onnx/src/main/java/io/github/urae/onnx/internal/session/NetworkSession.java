package io.github.urae.onnx.internal.session;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import com.google.protobuf.ByteString;
import io.github.urae.CancellationToken;
import io.github.urae.InferenceException;
import io.github.urae.device.Device;
import io.github.urae.internal.CacheFolder;
import io.github.urae.internal.OwnedResources;
import io.github.urae.onnx.internal.graph.GraphWeight;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.TransposedElements;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A network that runs. Its weights stay in their files, memory-mapped by ONNX Runtime; overrides
 * are used where they lie. Thread-safe, but for closing.
 */
public final class NetworkSession implements LoadedNetwork {

  private static final Logger LOG = LoggerFactory.getLogger(NetworkSession.class);

  /**
   * ONNX Runtime wants a file to be where a weight is said to be that is given to the session: one
   * that is there as long as Java runs.
   */
  private static final Path SOME_FILE = Path.of(System.getProperty("java.home"), "lib", "modules");

  private final NetworkGraph graph;
  private final Set<String> inputs;
  private final Device device;
  private final OrtEnvironment environment;
  private final OwnedResources resources = new OwnedResources();
  private final NetworkRuns runs;
  private final Optional<MemoryArena> arena;

  private Optional<PlacementCheck.Profile> placement = Optional.empty();
  private OrtSession session;

  private NetworkSession(
      NetworkGraph graph, Device device, NetworkRuns runs, Optional<MemoryArena> arena) {
    this.graph = graph;
    this.device = device;
    this.runs = runs;
    this.arena = arena;
    this.environment = OnnxEngine.environment();
    this.inputs =
        graph.graph().getInputList().stream()
            .map(ValueInfoProto::getName)
            .collect(Collectors.toUnmodifiableSet());
  }

  /**
   * Opens a session.
   *
   * @param graph the network
   * @param weights every weight of the graph, as the graph takes it, but for those that are
   *     replaced
   * @param overrides weights that replace those of the same name, in the same type and shape; they
   *     must stay readable until the session is closed
   * @param settings device, threads, prepacking
   * @return the session; the caller closes it
   * @throws IOException if a file cannot be found
   * @throws InferenceException if ONNX Runtime refuses
   */
  public static NetworkSession open(
      NetworkGraph graph,
      TensorSource weights,
      Map<String, Tensor> overrides,
      SessionSettings settings)
      throws IOException {
    return open(graph, weights, overrides, settings, new NetworkRuns(CacheFolder.byDefault()));
  }

  /**
   * Opens a session whose runs are recorded.
   *
   * @param graph the network
   * @param weights every weight of the graph, as the graph takes it
   * @param overrides as above
   * @param settings device, threads, prepacking
   * @param runs hears of its runs
   * @return the session; the caller closes it
   * @throws IOException if a file cannot be found
   * @throws InferenceException if ONNX Runtime refuses
   */
  public static NetworkSession open(
      NetworkGraph graph,
      TensorSource weights,
      Map<String, Tensor> overrides,
      SessionSettings settings,
      NetworkRuns runs)
      throws IOException {
    return open(
        graph, weights, overrides, settings, runs, MemoryArena.toShareOn(settings.device()));
  }

  /** The same where it is said what memory is given back. */
  static NetworkSession open(
      NetworkGraph graph,
      TensorSource weights,
      Map<String, Tensor> overrides,
      SessionSettings settings,
      NetworkRuns runs,
      Optional<MemoryArena> arena)
      throws IOException {
    NetworkSession opened = new NetworkSession(graph, settings.device(), runs, arena);
    try {
      opened.start(weights, overrides, settings);
      return opened;
    } catch (OrtException e) {
      opened.resources.closeAfter(e);
      throw OnnxEngine.failed("the " + graph.name() + " could not be loaded", e);
    } catch (Throwable e) {
      opened.resources.closeAfter(e);
      throw e;
    }
  }

  private void start(TensorSource weights, Map<String, Tensor> overrides, SessionSettings settings)
      throws IOException, OrtException {
    // ONNX Runtime maps files by their paths, and what it touches beyond their end ends the
    // process.
    Set<Path> displaced = weights.displacedFiles();
    Map<Path, Path> realPaths = new HashMap<>();
    Path folder = null;
    for (Path file : weights.files()) {
      if (!displaced.contains(file)) {
        Path real = file.toRealPath();
        realPaths.put(file, real);
        folder = folder == null ? real.getParent() : commonParent(folder, real);
      }
    }
    if (folder == null) {
      folder = SOME_FILE.toRealPath().getParent();
    }
    Map<String, Tensor> given = new HashMap<>(overrides);
    Set<String> copied = new HashSet<>();
    Map<String, ByteString> inside = new HashMap<>();
    for (String name : graph.weights().keySet()) {
      if (!given.containsKey(name)) {
        TensorInfo info = weights.tensors().get(name);
        if (!Weights.isReadableInPlace(info)) {
          given.put(name, Weights.inMemory(weights, name));
        } else if (displaced.contains(info.file()) && !graph.weights().get(name).hasJavaType()) {
          inside.put(name, bytes(weights, info));
        } else if (displaced.contains(info.file())) {
          given.put(name, held(weights, name, graph.weights().get(name).shape()));
          if (hasConvolutions()) {
            copied.add(name);
          }
        }
      }
    }
    byte[] model = model(graph, weights, given.keySet(), inside, folder, realPaths);
    try (OrtSession.SessionOptions options = OnnxEngine.options(settings)) {
      options.addConfigEntry(
          "session.model_external_initializers_file_folder_path", folder.toString());
      if (device instanceof Device.Cuda) {
        placement = runs.placements().start(graph.name(), options);
        placement.ifPresent(resources::add);
      }
      Map<String, OnnxTensorLike> inGraph = new HashMap<>();
      for (Map.Entry<String, Tensor> override : given.entrySet()) {
        OnnxTensor tensor = resources.add(Bindings.toOnnx(environment, override.getValue()));
        if (copied.contains(override.getKey())) {
          inGraph.put(override.getKey(), tensor);
        } else {
          options.addInitializer(override.getKey(), tensor);
        }
      }
      if (!inGraph.isEmpty()) {
        options.addExternalInitializers(inGraph);
      }
      session = resources.add(environment.createSession(model, options));
    }
  }

  /**
   * ONNX Runtime rearranges the weights of convolutions while it optimises, and takes them from
   * where the graph says that they lie, whatever it was given: such graphs need their weights
   * inside.
   */
  private boolean hasConvolutions() {
    return graph.graph().getNodeList().stream().anyMatch(node -> node.getOpType().equals("Conv"));
  }

  /** Gives a weight of a file that has lost its path from the mapping that still holds it. */
  private static Tensor held(TensorSource weights, String name, Shape shape) throws IOException {
    if (!weights.tensors().get(name).encoding().isPlain()) {
      return Weights.inMemory(weights, name);
    }
    Tensor stored = weights.tensor(name);
    return Tensor.view(stored.type(), shape, stored.data(), name);
  }

  /**
   * Copies a weight that can only be inside the model, which is bounded to 2 GiB: enough for the
   * blocks of a network, whose files may lose their paths between any two of them.
   */
  private static ByteString bytes(TensorSource weights, TensorInfo info) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(info.length()));
    weights.read(info.name(), 0, bytes);
    return ByteString.copyFrom(bytes.flip());
  }

  /** ONNX Runtime finds weights below one folder. Files are usually in the same. */
  private static Path commonParent(Path folder, Path file) throws IOException {
    Path parent = folder;
    while (parent != null && !file.startsWith(parent)) {
      parent = parent.getParent();
    }
    if (parent == null) {
      throw new IOException(
          file + " and " + folder + " are on different drives; put a checkpoint's files on one");
    }
    return parent;
  }

  private static byte[] model(
      NetworkGraph graph,
      TensorSource weights,
      Set<String> overridden,
      Map<String, ByteString> inside,
      Path folder,
      Map<Path, Path> realPaths) {
    GraphProto.Builder withWeights = graph.graph().toBuilder();
    Set<String> transposed = new HashSet<>();
    Map<Path, String> locations = new HashMap<>();
    realPaths.forEach(
        (file, real) -> locations.put(file, folder.relativize(real).toString().replace('\\', '/')));
    String someFile =
        locations.values().stream().findFirst().orElse(SOME_FILE.getFileName().toString());
    for (String name : graph.weights().keySet()) {
      Optional<TensorInfo> info = weights.find(name);
      GraphWeight weight = graph.weights().get(name);
      long[] dimensions = weight.shape().toArray();
      if (!overridden.contains(name)
          && info.orElseThrow().encoding() instanceof TransposedElements) {
        transposed.add(name);
        dimensions = new long[] {dimensions[1], dimensions[0]};
      }
      TensorProto.Builder tensor = OnnxMessages.tensor(name, weight, dimensions);
      withWeights.addInitializer(
          inside.containsKey(name)
              ? tensor.setRawData(inside.get(name)).build()
              : OnnxMessages.external(
                  tensor,
                  info.map(place -> locations.get(place.file())).orElse(someFile),
                  info.map(TensorInfo::offset).orElse(0L),
                  weight.byteSize()));
    }
    takeAsStored(withWeights, transposed);
    return graph.model(withWeights.build()).toByteArray();
  }

  /** Lets matrix products take weights that are stored transposed as they are. */
  private static void takeAsStored(GraphProto.Builder graph, Set<String> transposed) {
    for (NodeProto.Builder node : graph.getNodeBuilderList()) {
      if (node.getInputCount() > 1 && transposed.contains(node.getInput(1))) {
        for (AttributeProto.Builder attribute : node.getAttributeBuilderList()) {
          if (attribute.getName().equals("transB")) {
            attribute.setI(0);
          }
        }
      }
    }
  }

  @Override
  public String name() {
    return graph.name();
  }

  @Override
  public boolean takes(String input) {
    return inputs.contains(input);
  }

  @Override
  public float[] run(Map<String, Tensor> given, CancellationToken stop) {
    try (Bindings bindings = new Bindings(environment)) {
      for (Map.Entry<String, Tensor> input : given.entrySet()) {
        if (takes(input.getKey())) {
          bindings.add(input.getKey(), input.getValue());
        }
      }
      try (OrtSession.Result result = runNative(bindings.values(), stop)) {
        // A copy in a heap buffer of its own, so that its array is the output.
        return ((OnnxTensor) result.get(0)).getFloatBuffer().array();
      }
    } catch (OrtException e) {
      stop.throwIfCancelled();
      throw OnnxEngine.failed("the " + graph.name() + " failed", e);
    }
  }

  /** Runs on the calling thread, from and to native memory; the caller closes the result. */
  OrtSession.Result runNative(Map<String, OnnxTensor> bound, CancellationToken stop)
      throws OrtException {
    stop.throwIfCancelled();
    try (OrtSession.RunOptions options = new OrtSession.RunOptions()) {
      CancellationToken.Registration registration = stop.onCancel(() -> terminate(options));
      try {
        long start = System.nanoTime();
        OrtSession.Result result = session.run(bound, options);
        runs.addTime(System.nanoTime() - start);
        placement.ifPresent(profile -> profile.afterRun(session));
        return result;
      } finally {
        registration.close();
      }
    }
  }

  private static void terminate(OrtSession.RunOptions options) {
    try {
      options.setTerminate(true);
    } catch (OrtException e) {
      LOG.warn("A run could not be cancelled and goes on", e);
    }
  }

  @Override
  public void giveBackMemory() {
    try {
      if (arena.isPresent()) {
        arena.get().shrink(environment, session);
      }
    } catch (OrtException | RuntimeException e) { // What was drawn is worth more.
      LOG.warn("The {} keeps the memory that it worked in", name(), e);
    }
  }

  @Override
  public void close() throws IOException {
    resources.close();
  }
}
