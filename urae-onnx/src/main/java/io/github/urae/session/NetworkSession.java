package io.github.urae.session;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.github.urae.CancellationToken;
import io.github.urae.InferenceException;
import io.github.urae.graph.NetworkGraph;
import io.github.urae.graph.OnnxTypes;
import io.github.urae.internal.OwnedResources;
import io.github.urae.safetensors.TensorInfo;
import io.github.urae.safetensors.TensorLayout;
import io.github.urae.safetensors.TensorSource;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Tensor;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A network that runs. Its weights stay in their files, memory-mapped by ONNX Runtime; overrides
 * are used where they lie. Thread-safe; {@link #close()} may be called twice, but not while a run
 * goes on.
 */
public final class NetworkSession implements Closeable {

  private static final Logger LOG = LoggerFactory.getLogger(NetworkSession.class);

  private final NetworkGraph graph;
  private final Set<String> inputs;
  private final Device device;
  private final OrtEnvironment environment;
  private final OwnedResources resources = new OwnedResources();
  private final RuntimeClock clock;
  private OrtSession session;

  private NetworkSession(NetworkGraph graph, Device device, RuntimeClock clock) {
    this.graph = graph;
    this.device = device;
    this.clock = clock;
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
   * @param weights every weight of the graph in the graph's element type
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
    return open(graph, weights, overrides, settings, new RuntimeClock());
  }

  /**
   * Opens a session whose runs are timed.
   *
   * @param graph the network
   * @param weights every weight of the graph in the graph's element type
   * @param overrides as above
   * @param settings device, threads, prepacking
   * @param clock adds up the time of its runs
   * @return the session; the caller closes it
   * @throws IOException if a file cannot be found
   * @throws InferenceException if ONNX Runtime refuses
   */
  public static NetworkSession open(
      NetworkGraph graph,
      TensorSource weights,
      Map<String, Tensor> overrides,
      SessionSettings settings,
      RuntimeClock clock)
      throws IOException {
    NetworkSession opened = new NetworkSession(graph, settings.device(), clock);
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
    Map<Path, Path> realPaths = new HashMap<>();
    Path folder = null;
    for (Path file : weights.files()) {
      Path real = file.toRealPath();
      realPaths.put(file, real);
      folder = folder == null ? real.getParent() : commonParent(folder, real);
    }
    byte[] model = model(graph, weights, overrides.keySet(), folder, realPaths);
    try (OrtSession.SessionOptions options = OnnxEngine.options(settings)) {
      options.addConfigEntry(
          "session.model_external_initializers_file_folder_path", folder.toString());
      Map<String, Tensor> given = new HashMap<>(overrides);
      for (String name : graph.weights().keySet()) {
        if (!given.containsKey(name) && weights.layout(name) == TensorLayout.SCATTERED) {
          given.put(name, weights.tensor(name));
        }
      }
      for (Map.Entry<String, Tensor> override : given.entrySet()) {
        OnnxTensor tensor = resources.add(toOnnx(override.getValue()));
        options.addInitializer(override.getKey(), tensor);
      }
      session = resources.add(environment.createSession(model, options));
    }
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
      Path folder,
      Map<Path, Path> realPaths) {
    GraphProto.Builder withWeights = graph.graph().toBuilder();
    Set<String> transposed = new HashSet<>();
    for (String name : graph.weights().keySet()) {
      TensorInfo info = weights.tensors().get(name);
      long[] dimensions = info.shape().toArray();
      if (!overridden.contains(name) && weights.layout(name) == TensorLayout.TRANSPOSED) {
        transposed.add(name);
        dimensions = new long[] {dimensions[1], dimensions[0]};
      }
      String location = folder.relativize(realPaths.get(info.file())).toString().replace('\\', '/');
      TensorProto.Builder tensor =
          TensorProto.newBuilder()
              .setName(name)
              .setDataType(OnnxTypes.code(info.type()))
              .setDataLocation(TensorProto.DataLocation.EXTERNAL)
              .addExternalData(entry("location", location))
              .addExternalData(entry("offset", Long.toString(info.offset())))
              .addExternalData(entry("length", Long.toString(info.length())));
      for (long dimension : dimensions) {
        tensor.addDims(dimension);
      }
      withWeights.addInitializer(tensor);
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

  private static StringStringEntryProto entry(String key, String value) {
    return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  /**
   * Runs the network.
   *
   * @param inputs all inputs by name, float32 or int64; those that the network does not take are
   *     left out
   * @param cancellation ends the run between two operators
   * @return the one output, float32, row-major
   * @throws io.github.urae.GenerationCancelledException if the run was cancelled
   * @throws InferenceException if ONNX Runtime fails
   * @throws IllegalStateException if this session is closed
   */
  public float[] run(Map<String, Tensor> inputs, CancellationToken cancellation) {
    cancellation.throwIfCancelled();
    OrtSession running = running();
    Map<String, OnnxTensor> bound = new LinkedHashMap<>();
    try (OrtSession.RunOptions options = OnnxEngine.runOptions(device)) {
      for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
        if (takes(input.getKey())) {
          bound.put(input.getKey(), toOnnx(input.getValue()));
        }
      }
      CancellationToken.Registration registration = cancellation.onCancel(() -> terminate(options));
      long start = System.nanoTime();
      try (OrtSession.Result result = running.run(bound, options)) {
        clock.add(System.nanoTime() - start);
        // A copy in a heap buffer of its own, so that its array is the output.
        return ((OnnxTensor) result.get(0)).getFloatBuffer().array();
      } finally {
        registration.close();
      }
    } catch (OrtException e) {
      cancellation.throwIfCancelled();
      throw OnnxEngine.failed("the " + graph.name() + " failed", e);
    } finally {
      bound.values().forEach(OnnxTensor::close);
    }
  }

  /**
   * Tells whether the network has an input.
   *
   * @param input its name
   * @return whether {@link #run} must be given it
   */
  public boolean takes(String input) {
    return inputs.contains(input);
  }

  private synchronized OrtSession running() {
    if (session == null) {
      throw new IllegalStateException("the session of the " + graph.name() + " is closed");
    }
    return session;
  }

  private static void terminate(OrtSession.RunOptions options) {
    try {
      options.setTerminate(true);
    } catch (OrtException e) {
      LOG.warn("A run could not be cancelled and goes on", e);
    }
  }

  private OnnxTensor toOnnx(Tensor tensor) throws OrtException {
    ByteBuffer data = tensor.data();
    if (!data.isDirect()) {
      data = ByteBuffer.allocateDirect(data.remaining()).order(data.order()).put(data).flip();
    }
    return OnnxTensor.createTensor(
        environment, data, tensor.shape().toArray(), javaType(tensor.type()));
  }

  private static OnnxJavaType javaType(ElementType type) {
    return switch (type) {
      case F32 -> OnnxJavaType.FLOAT;
      case F16 -> OnnxJavaType.FLOAT16;
      case BF16 -> OnnxJavaType.BFLOAT16;
      case I64 -> OnnxJavaType.INT64;
      default -> throw new IllegalArgumentException("networks do not take " + type);
    };
  }

  @Override
  public synchronized void close() {
    session = null;
    try {
      resources.close();
    } catch (IOException e) {
      throw new InferenceException("closing the " + graph.name() + " failed", e);
    }
  }
}
