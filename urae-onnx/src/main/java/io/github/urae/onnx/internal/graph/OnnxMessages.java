package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The messages that ONNX files are made of: element types, tensors, attributes, values and nodes.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">onnx.proto</a>
 */
public final class OnnxMessages {

  private static final Map<ElementType, Integer> CODES =
      Map.of(
          ElementType.F32, DataType.FLOAT_VALUE,
          ElementType.F16, DataType.FLOAT16_VALUE,
          ElementType.BF16, DataType.BFLOAT16_VALUE,
          ElementType.F64, DataType.DOUBLE_VALUE,
          ElementType.I64, DataType.INT64_VALUE,
          ElementType.I32, DataType.INT32_VALUE,
          ElementType.I16, DataType.INT16_VALUE,
          ElementType.I8, DataType.INT8_VALUE,
          ElementType.U8, DataType.UINT8_VALUE,
          ElementType.BOOL, DataType.BOOL_VALUE);

  private OnnxMessages() {}

  /**
   * Returns ONNX's number of an element type.
   *
   * @param type a type that graphs use: F32, F16, BF16, F64, I64, I32, I16, I8, U8 or BOOL
   * @return the number in {@code TensorProto.DataType}
   * @throws IllegalArgumentException if graphs do not use it
   */
  public static int code(ElementType type) {
    Integer code = CODES.get(type);
    if (code == null) {
      throw new IllegalArgumentException("graphs do not use " + type);
    }
    return code;
  }

  /**
   * Returns the element type of one of ONNX's numbers.
   *
   * @param code a number in {@code TensorProto.DataType}
   * @return the type; empty where no weight or constant of a network has it
   */
  public static Optional<ElementType> elementType(int code) {
    return CODES.entrySet().stream()
        .filter(entry -> entry.getValue() == code)
        .map(Map.Entry::getKey)
        .findFirst();
  }

  /**
   * Begins a tensor, to be completed with its values or their place.
   *
   * @param name its name
   * @param type a type that graphs use
   * @param dimensions its shape; none for a scalar
   * @return the tensor without values
   */
  public static TensorProto.Builder tensor(String name, ElementType type, long... dimensions) {
    return tensor(name, code(type), dimensions);
  }

  /**
   * Begins a weight, to be completed with its values or their place.
   *
   * @param name its name in the graph
   * @param weight its type
   * @param dimensions its shape as it lies in a file
   * @return the tensor without values
   */
  public static TensorProto.Builder tensor(String name, GraphWeight weight, long... dimensions) {
    return tensor(name, weight.onnxType(), dimensions);
  }

  private static TensorProto.Builder tensor(String name, int code, long... dimensions) {
    TensorProto.Builder tensor = TensorProto.newBuilder().setName(name).setDataType(code);
    for (long dimension : dimensions) {
      tensor.addDims(dimension);
    }
    return tensor;
  }

  /**
   * Makes an int64 tensor of rank 1.
   *
   * @param name its name
   * @param values its values
   * @return the tensor
   */
  public static TensorProto longs(String name, long... values) {
    ByteBuffer bytes = littleEndian(Math.multiplyExact(values.length, Long.BYTES));
    bytes.asLongBuffer().put(values);
    return tensor(name, ElementType.I64, values.length)
        .setRawData(ByteString.copyFrom(bytes))
        .build();
  }

  /** A float64 tensor of rank 1. */
  static TensorProto doubles(String name, double... values) {
    ByteBuffer bytes = littleEndian(Math.multiplyExact(values.length, Double.BYTES));
    bytes.asDoubleBuffer().put(values);
    return tensor(name, ElementType.F64, values.length)
        .setRawData(ByteString.copyFrom(bytes))
        .build();
  }

  /** A floating-point tensor of rank 1, rounded from float32. */
  static TensorProto floats(String name, ElementType type, float... values) {
    ByteBuffer bytes = littleEndian(Math.toIntExact(type.byteSize(values.length)));
    Elements.fromFloats(type, values, 0, values.length, bytes);
    return tensor(name, type, values.length).setRawData(ByteString.copyFrom(bytes.flip())).build();
  }

  /** A uint8 tensor [1]. */
  static TensorProto unsignedByte(String name, int value) {
    return tensor(name, ElementType.U8, 1)
        .setRawData(ByteString.copyFrom(new byte[] {(byte) value}))
        .build();
  }

  /** An int64 tensor of rank 0. */
  static TensorProto scalar(String name, long value) {
    ByteBuffer bytes = littleEndian(Long.BYTES).putLong(value).flip();
    return tensor(name, ElementType.I64).setRawData(ByteString.copyFrom(bytes)).build();
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Completes a tensor whose values lie in another file.
   *
   * @param tensor name, type and shape
   * @param location the file, relative to the model's folder, with {@code /} between names
   * @param offset position of the first byte
   * @param length number of bytes
   * @return the tensor
   */
  public static TensorProto external(
      TensorProto.Builder tensor, String location, long offset, long length) {
    return tensor
        .setDataLocation(TensorProto.DataLocation.EXTERNAL)
        .addExternalData(entry("location", location))
        .addExternalData(entry("offset", Long.toString(offset)))
        .addExternalData(entry("length", Long.toString(length)))
        .build();
  }

  private static StringStringEntryProto entry(String key, String value) {
    return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  /**
   * Makes a node's attribute.
   *
   * @param name its name
   * @param value an {@code Integer} or {@code Long}, a {@code Float}, a {@code String}, an {@code
   *     int[]} or {@code long[]}, or a {@code TensorProto}
   * @return the attribute
   * @throws IllegalArgumentException if the value is of another type
   */
  public static AttributeProto attribute(String name, Object value) {
    AttributeProto.Builder attribute = AttributeProto.newBuilder().setName(name);
    if (value instanceof Integer || value instanceof Long) {
      attribute.setType(AttributeProto.AttributeType.INT).setI(((Number) value).longValue());
    } else if (value instanceof Float number) {
      attribute.setType(AttributeProto.AttributeType.FLOAT).setF(number);
    } else if (value instanceof String text) {
      attribute.setType(AttributeProto.AttributeType.STRING).setS(ByteString.copyFromUtf8(text));
    } else if (value instanceof int[] numbers) {
      attribute.setType(AttributeProto.AttributeType.INTS);
      for (int number : numbers) {
        attribute.addInts(number);
      }
    } else if (value instanceof long[] numbers) {
      attribute.setType(AttributeProto.AttributeType.INTS);
      for (long number : numbers) {
        attribute.addInts(number);
      }
    } else if (value instanceof TensorProto tensor) {
      attribute.setType(AttributeProto.AttributeType.TENSOR).setT(tensor);
    } else {
      throw new IllegalArgumentException(name + ": no attribute holds " + value);
    }
    return attribute.build();
  }

  /**
   * Finds a node's attribute.
   *
   * @param node the node
   * @param name the attribute's name
   * @return the attribute; empty where the node leaves it to the operator's default
   */
  public static Optional<AttributeProto> attribute(NodeProto node, String name) {
    return node.getAttributeList().stream().filter(a -> a.getName().equals(name)).findFirst();
  }

  /**
   * Returns an input of a node.
   *
   * @param node the node
   * @param index its position
   * @return the name of the value; empty where the node has none there
   */
  public static String input(NodeProto node, int index) {
    return index < node.getInputCount() ? node.getInput(index) : "";
  }

  /**
   * Returns the graphs that a node holds: bodies of loops and branches.
   *
   * @param node the node
   * @return its graphs; none in most nodes
   */
  public static List<GraphProto> graphs(NodeProto node) {
    List<GraphProto> graphs = new ArrayList<>();
    for (AttributeProto attribute : node.getAttributeList()) {
      if (attribute.hasG()) {
        graphs.add(attribute.getG());
      }
      graphs.addAll(attribute.getGraphsList());
    }
    return graphs;
  }

  /**
   * Changes the graphs that a node holds.
   *
   * @param node the node
   * @param change makes the new graph from the old one
   * @return the node with the new graphs; the same where it holds none
   */
  public static NodeProto withGraphs(NodeProto node, UnaryOperator<GraphProto> change) {
    if (graphs(node).isEmpty()) {
      return node;
    }
    NodeProto.Builder changed = node.toBuilder();
    for (AttributeProto.Builder attribute : changed.getAttributeBuilderList()) {
      if (attribute.hasG()) {
        attribute.setG(change.apply(attribute.getG()));
      }
      for (int i = 0; i < attribute.getGraphsCount(); i++) {
        attribute.setGraphs(i, change.apply(attribute.getGraphs(i)));
      }
    }
    return changed.build();
  }

  /**
   * Returns what a node reads: its inputs, and what graphs inside it read from outside.
   *
   * @param node the node
   * @return names of values, each once
   */
  public static Set<String> reads(NodeProto node) {
    Set<String> reads = new LinkedHashSet<>(node.getInputList());
    for (GraphProto graph : graphs(node)) {
      Set<String> own = new HashSet<>();
      graph.getInputList().forEach(input -> own.add(input.getName()));
      graph.getInitializerList().forEach(tensor -> own.add(tensor.getName()));
      graph.getNodeList().forEach(inside -> own.addAll(inside.getOutputList()));
      Set<String> inside = new LinkedHashSet<>();
      graph.getNodeList().forEach(n -> inside.addAll(reads(n)));
      graph.getOutputList().forEach(output -> inside.add(output.getName()));
      inside.removeAll(own);
      reads.addAll(inside);
    }
    reads.remove("");
    return reads;
  }

  /**
   * Makes a node.
   *
   * @param domain of the operator; empty for ONNX's own
   * @param operator its name
   * @param name the node's name
   * @param inputs names of the values that it reads
   * @param outputs names of its results
   * @param attributes its attributes
   * @return the node
   */
  public static NodeProto node(
      String domain,
      String operator,
      String name,
      List<String> inputs,
      List<String> outputs,
      AttributeProto... attributes) {
    return NodeProto.newBuilder()
        .setName(name)
        .setOpType(operator)
        .setDomain(domain)
        .addAllInput(inputs)
        .addAllOutput(outputs)
        .addAllAttribute(List.of(attributes))
        .build();
  }

  /**
   * Makes a node that converts to another element type.
   *
   * @param name the node's name
   * @param from the value that it reads
   * @param to its result
   * @param type ONNX's number of the result's element type
   * @return the node
   */
  public static NodeProto cast(String name, String from, String to, int type) {
    return node("", "Cast", name, List.of(from), List.of(to), attribute("to", type));
  }

  /**
   * Declares an input or output.
   *
   * @param name its name
   * @param type its element type
   * @param dimensions sizes ({@code Number}) and names of free sizes ({@code String})
   * @return the declaration
   */
  public static ValueInfoProto value(String name, ElementType type, Object... dimensions) {
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
                    TypeProto.Tensor.newBuilder().setElemType(code(type)).setShape(shape)))
        .build();
  }
}
