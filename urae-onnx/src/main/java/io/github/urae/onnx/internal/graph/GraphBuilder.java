package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a graph node by node. Values are named by strings, as in ONNX; every method that adds a
 * node returns the name of its output. Not thread-safe.
 *
 * <p>Activations are [B, S, C] unless said otherwise, where S is a sequence of tokens.
 */
final class GraphBuilder {

  /** A node's attribute: an integer, a float, a string, or several integers. */
  record Attribute(String name, Object value) {}

  private final String name;
  private final ElementType type;
  private final GraphProto.Builder graph = GraphProto.newBuilder();
  private final Map<String, Shape> weights = new LinkedHashMap<>();
  private final Map<String, String> constants = new LinkedHashMap<>();
  private int nodes;

  GraphBuilder(String name, ElementType type) {
    this.name = name;
    this.type = type;
    graph.setName(name);
  }

  static Attribute attribute(String name, Object value) {
    return new Attribute(name, value);
  }

  /** Returns the element type of weights and arithmetic. */
  ElementType type() {
    return type;
  }

  /** Declares an input; dimensions are numbers or names. */
  String input(String inputName, ElementType inputType, Object... dimensions) {
    graph.addInput(value(inputName, inputType, dimensions));
    return inputName;
  }

  /** Makes a value an output under a name; dimensions are numbers or names. */
  void output(String outputName, String source, ElementType outputType, Object... dimensions) {
    graph.addNode(
        NodeProto.newBuilder()
            .setOpType("Identity")
            .setName(outputName)
            .addInput(source)
            .addOutput(outputName));
    graph.addOutput(value(outputName, outputType, dimensions));
  }

  private static ValueInfoProto value(String name, ElementType type, Object... dimensions) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (Object dimension : dimensions) {
      if (dimension instanceof Number size) {
        shape.addDimBuilder().setDimValue(size.longValue());
      } else {
        shape.addDimBuilder().setDimParam((String) dimension);
      }
    }
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder()
                        .setElemType(OnnxTypes.code(type))
                        .setShape(shape)))
        .build();
  }

  /** Names a weight of the checkpoint and the shape that it must have. */
  String weight(String weightName, long... dimensions) {
    Shape shape = Shape.of(dimensions);
    Shape before = weights.putIfAbsent(weightName, shape);
    if (before != null && !before.equals(shape)) {
      throw new IllegalStateException(weightName + " is used as " + before + " and " + shape);
    }
    return weightName;
  }

  /** Adds an int64 constant of rank 1. */
  String longs(long... values) {
    Shape shape = Shape.of(values.length);
    String key = "longs" + Arrays.toString(values);
    return constants.computeIfAbsent(
        key,
        k -> {
          TensorProto.Builder tensor = tensor(k, ElementType.I64, shape);
          ByteBuffer bytes = littleEndian(values.length * Long.BYTES);
          for (long value : values) {
            bytes.putLong(value);
          }
          graph.addInitializer(tensor.setRawData(ByteString.copyFrom(bytes.flip())));
          return k;
        });
  }

  /** Adds a float constant of rank 1 in the given type, rounded from float32. */
  String floats(ElementType constantType, float... values) {
    String key = "floats_" + constantType + "_" + Arrays.toString(values);
    return constants.computeIfAbsent(
        key,
        k -> {
          String constant = "constant_" + constants.size();
          TensorProto.Builder tensor = tensor(constant, constantType, Shape.of(values.length));
          ByteBuffer bytes = littleEndian(Math.toIntExact(constantType.byteSize(values.length)));
          Elements.fromFloats(constantType, values, 0, values.length, bytes);
          graph.addInitializer(tensor.setRawData(ByteString.copyFrom(bytes.flip())));
          return constant;
        });
  }

  /** Adds a float64 constant of rank 1. */
  String doubles(double... values) {
    String key = "doubles" + Arrays.toString(values);
    return constants.computeIfAbsent(
        key,
        k -> {
          String constant = "constant_" + constants.size();
          ByteBuffer bytes = littleEndian(Math.multiplyExact(values.length, Double.BYTES));
          for (double value : values) {
            bytes.putDouble(value);
          }
          graph.addInitializer(
              tensor(constant, ElementType.F64, Shape.of(values.length))
                  .setRawData(ByteString.copyFrom(bytes.flip())));
          return constant;
        });
  }

  /** Adds an int64 constant of rank 0. */
  String scalar(long value) {
    return constants.computeIfAbsent(
        "scalar" + value,
        k -> {
          ByteBuffer bytes = littleEndian(Long.BYTES).putLong(value);
          graph.addInitializer(
              tensor(k, ElementType.I64, Shape.of()).setRawData(ByteString.copyFrom(bytes.flip())));
          return k;
        });
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static TensorProto.Builder tensor(String name, ElementType type, Shape shape) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder().setName(name).setDataType(OnnxTypes.code(type));
    for (long dimension : shape.toArray()) {
      tensor.addDims(dimension);
    }
    return tensor;
  }

  /** Adds a node of the standard operators with one output. */
  String node(String operator, List<String> inputs, Attribute... attributes) {
    return nodes("", operator, inputs, 1, attributes).get(0);
  }

  /** Adds a node of ONNX Runtime's own operators with one output. */
  String microsoftNode(String operator, List<String> inputs, Attribute... attributes) {
    return nodes(NetworkGraph.MICROSOFT_DOMAIN, operator, inputs, 1, attributes).get(0);
  }

  private List<String> nodes(
      String domain, String operator, List<String> inputs, int outputs, Attribute... attributes) {
    String nodeName = operator + "_" + nodes++;
    NodeProto.Builder node =
        NodeProto.newBuilder().setName(nodeName).setOpType(operator).setDomain(domain);
    node.addAllInput(inputs);
    for (int i = 0; i < outputs; i++) {
      node.addOutput(outputs == 1 ? nodeName : nodeName + "." + i);
    }
    for (Attribute attribute : attributes) {
      node.addAttribute(proto(attribute));
    }
    graph.addNode(node);
    return node.getOutputList();
  }

  private static AttributeProto proto(Attribute attribute) {
    AttributeProto.Builder proto = AttributeProto.newBuilder().setName(attribute.name());
    if (attribute.value() instanceof Integer value) {
      proto.setType(AttributeProto.AttributeType.INT).setI(value);
    } else if (attribute.value() instanceof Float value) {
      proto.setType(AttributeProto.AttributeType.FLOAT).setF(value);
    } else if (attribute.value() instanceof String value) {
      proto.setType(AttributeProto.AttributeType.STRING).setS(ByteString.copyFromUtf8(value));
    } else {
      proto.setType(AttributeProto.AttributeType.INTS);
      for (int value : (int[]) attribute.value()) {
        proto.addInts(value);
      }
    }
    return proto.build();
  }

  String add(String a, String b) {
    return node("Add", List.of(a, b));
  }

  String multiply(String a, String b) {
    return node("Mul", List.of(a, b));
  }

  String reshape(String x, String shape) {
    return node("Reshape", List.of(x, shape));
  }

  String concat(int axis, String... parts) {
    return node("Concat", List.of(parts), attribute("axis", axis));
  }

  /** Cuts into equal parts. */
  List<String> split(String x, int axis, int parts) {
    return nodes(
        "", "Split", List.of(x), parts, attribute("axis", axis), attribute("num_outputs", parts));
  }

  /** Takes a range of one axis; {@code start} and {@code end} are int64 values of rank 1. */
  String slice(String x, int axis, String start, String end) {
    return node("Slice", List.of(x, start, end, longs(axis)));
  }

  /** Returns one dimension of a value, int64 of rank 1. */
  String dimension(String x, int axis) {
    return node("Shape", List.of(x), attribute("start", axis), attribute("end", axis + 1));
  }

  /** Converts between element types; nothing where they are the same. */
  String cast(String x, ElementType from, ElementType to) {
    return from == to ? x : node("Cast", List.of(x), attribute("to", OnnxTypes.code(to)));
  }

  /**
   * Adds {@code x W^T + b} with the checkpoint's {@code PREFIX.weight} [outputs, inputs] and {@code
   * PREFIX.bias}, both as they are stored.
   *
   * @param x [..., inputs], of any rank
   * @return [N, outputs], N being the product of all other dimensions
   */
  String linear(String prefix, String x, long inputs, long outputs) {
    return node(
        "Gemm",
        List.of(
            reshape(x, longs(-1, inputs)),
            weight(prefix + ".weight", outputs, inputs),
            weight(prefix + ".bias", outputs)),
        attribute("transB", 1));
  }

  /** The same without a bias. */
  String linearWithoutBias(String prefix, String x, long inputs, long outputs) {
    return node(
        "Gemm",
        List.of(reshape(x, longs(-1, inputs)), weight(prefix + ".weight", outputs, inputs)),
        attribute("transB", 1));
  }

  /** {@code x * sigmoid(x)}. */
  String silu(String x) {
    return microsoftNode("QuickGelu", List.of(x), attribute("alpha", 1f));
  }

  /** GELU in its tanh form. */
  String geluTanh(String x) {
    return node("Gelu", List.of(x), attribute("approximate", "tanh"));
  }

  /** Root-mean-square normalisation over the last axis. */
  String rmsNorm(String weight, String x, double epsilon) {
    return node(
        "RMSNormalization",
        List.of(x, weight),
        attribute("axis", -1),
        attribute("epsilon", (float) epsilon));
  }

  /** Layer normalisation over the last axis; scale and shift are [C] or [B, 1, C]. */
  String layerNorm(String x, String scale, String shift, double epsilon) {
    return node(
        "LayerNormalization",
        List.of(x, scale, shift),
        attribute("axis", -1),
        attribute("epsilon", (float) epsilon));
  }

  /** Attention that never holds its scores: q, k, v are [B, S, heads * head_dim]. */
  String attention(String q, String k, String v, int heads, Attribute... more) {
    Attribute[] attributes = Arrays.copyOf(more, more.length + 1);
    attributes[more.length] = attribute("num_heads", heads);
    return microsoftNode("MultiHeadAttention", List.of(q, k, v), attributes);
  }

  /** Completes the graph. */
  NetworkGraph build() {
    return new NetworkGraph(name, type, graph.build(), Collections.unmodifiableMap(weights));
  }
}
