package io.github.urae.benchmarks;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * A network opened without the library, to measure settings that the library does not offer. Uses
 * the processor. The caller closes it.
 */
final class RawSession implements AutoCloseable {

  /** Sets options beyond those that every session has. */
  @FunctionalInterface
  interface Settings {

    /** What the library sets: weights stay where they are. */
    Settings LIBRARY = options -> options.addConfigEntry("session.disable_prepacking", "1");

    void apply(SessionOptions options) throws OrtException;

    /** The library's settings and one more. */
    static Settings libraryAnd(Settings more) {
      return options -> {
        LIBRARY.apply(options);
        more.apply(options);
      };
    }
  }

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  RawSession(NetworkGraph graph, TensorSource weights, Settings settings) throws OrtException {
    Path folder = weights.files().get(0).toAbsolutePath().getParent();
    try (SessionOptions options = options()) {
      options.addConfigEntry(
          "session.model_external_initializers_file_folder_path", folder.toString());
      settings.apply(options);
      session = environment.createSession(model(graph, weights), options);
    }
  }

  /** Opens a graph whose weights are inputs or constants. */
  RawSession(GraphProto graph, Settings settings) throws OrtException {
    try (SessionOptions options = options()) {
      settings.apply(options);
      session = environment.createSession(model(graph), options);
    }
  }

  private static SessionOptions options() throws OrtException {
    SessionOptions options = new SessionOptions();
    options.setMemoryPatternOptimization(false);
    options.addConfigEntry("session.use_device_allocator_for_initializers", "1");
    return options;
  }

  private static byte[] model(NetworkGraph graph, TensorSource weights) {
    GraphProto.Builder proto = graph.graph().toBuilder();
    for (String name : graph.weights().keySet()) {
      TensorInfo info = weights.tensors().get(name);
      proto.addInitializer(
          OnnxMessages.external(
              OnnxMessages.tensor(name, info.type(), info.shape().toArray()),
              info.file().getFileName().toString(),
              info.offset(),
              info.length()));
    }
    return model(proto.build());
  }

  private static byte[] model(GraphProto graph) {
    return ModelProto.newBuilder()
        .setIrVersion(NetworkGraph.IR_VERSION)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(NetworkGraph.OPSET))
        .addOpsetImport(
            OperatorSetIdProto.newBuilder()
                .setDomain(NetworkGraph.MICROSOFT_DOMAIN)
                .setVersion(NetworkGraph.MICROSOFT_OPSET))
        .setGraph(graph)
        .build()
        .toByteArray();
  }

  /** Runs once and returns the seconds that it took. All inputs are float32. */
  double run(Map<String, Tensor> inputs) throws OrtException {
    Map<String, OnnxTensor> bound = new HashMap<>();
    try {
      for (Map.Entry<String, Tensor> input : inputs.entrySet()) {
        ByteBuffer data = input.getValue().data();
        bound.put(
            input.getKey(),
            OnnxTensor.createTensor(
                environment,
                data.isDirect() ? data.asFloatBuffer() : direct(data).asFloatBuffer(),
                input.getValue().shape().toArray()));
      }
      long start = System.nanoTime();
      session.run(bound).close();
      return (System.nanoTime() - start) / 1e9;
    } finally {
      bound.values().forEach(OnnxTensor::close);
    }
  }

  private static ByteBuffer direct(ByteBuffer data) {
    return ByteBuffer.allocateDirect(data.remaining()).order(data.order()).put(data).flip();
  }

  /** Ends profiling and returns the file. */
  Path profile() throws OrtException {
    return Path.of(session.endProfiling());
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
