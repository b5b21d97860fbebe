package io.github.urae.benchmarks;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OrtException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One linear layer alone: what ONNX Runtime's {@code Gemm} makes of this machine. */
final class MatrixProduct implements AutoCloseable {

  private final OperatorTimes.Product product;
  private final RawSession session;
  private final Map<String, Tensor> inputs;

  MatrixProduct(OperatorTimes.Product product) throws OrtException {
    this.product = product;
    Map<String, Shape> shapes =
        Map.of(
            "x", Shape.of(product.rows(), product.depth()),
            "w", Shape.of(product.columns(), product.depth()),
            "b", Shape.of(product.columns()));
    GraphProto.Builder graph = GraphProto.newBuilder().setName("product");
    inputs = new HashMap<>();
    shapes.forEach(
        (name, shape) -> {
          graph.addInput(value(name, shape));
          inputs.put(name, filled(shape));
        });
    graph.addOutput(value("y", Shape.of(product.rows(), product.columns())));
    graph.addNode(
        OnnxMessages.node(
            "",
            "Gemm",
            "product",
            List.of("x", "w", "b"),
            List.of("y"),
            OnnxMessages.attribute("transB", 1)));
    session = new RawSession(graph.build(), RawSession.Settings.LIBRARY);
  }

  private static ValueInfoProto value(String name, Shape shape) {
    return OnnxMessages.value(
        name, ElementType.F32, Arrays.stream(shape.toArray()).boxed().toArray());
  }

  private static Tensor filled(Shape shape) {
    int bytes = Math.toIntExact(ElementType.F32.byteSize(shape.elementCount()));
    ByteBuffer data = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < bytes; i += Float.BYTES) {
      data.putFloat(i, (i % 1009 - 504) * 1e-3f);
    }
    return Tensor.view(ElementType.F32, shape, data, "product");
  }

  OperatorTimes.Product product() {
    return product;
  }

  /** Runs once and returns the seconds that it took. */
  double run() throws OrtException {
    return session.run(inputs);
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}
