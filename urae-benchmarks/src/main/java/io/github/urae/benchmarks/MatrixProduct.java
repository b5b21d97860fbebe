package io.github.urae.benchmarks;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OrtException;
import io.github.urae.onnx.internal.graph.OnnxTypes;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
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
        NodeProto.newBuilder()
            .setOpType("Gemm")
            .addInput("x")
            .addInput("w")
            .addInput("b")
            .addOutput("y")
            .addAttribute(
                AttributeProto.newBuilder()
                    .setName("transB")
                    .setType(AttributeProto.AttributeType.INT)
                    .setI(1)));
    session = new RawSession(graph.build(), RawSession.Settings.LIBRARY);
  }

  private static ValueInfoProto value(String name, Shape shape) {
    TensorShapeProto.Builder dimensions = TensorShapeProto.newBuilder();
    for (long size : shape.toArray()) {
      dimensions.addDimBuilder().setDimValue(size);
    }
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder()
                        .setElemType(OnnxTypes.code(ElementType.F32))
                        .setShape(dimensions)))
        .build();
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
