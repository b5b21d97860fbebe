package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.github.urae.ModelException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.internal.quantised.ScaledElements;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Writes a graph node by node. Values are named by strings, as in ONNX; every method that adds a
 * node returns the name of its output. Not thread-safe.
 *
 * <p>Activations are [B, S, C] unless said otherwise, where S is a sequence of tokens.
 */
final class GraphBuilder {

  /** Operators of one network; FLUX.1's have some thousand. */
  private static final int MOST_NODES = 100_000;

  private final String name;
  private final ElementType type;
  private final GraphProto.Builder graph = GraphProto.newBuilder();
  private final LinearLayers layers;
  private final Map<String, GraphWeight> weights = new LinkedHashMap<>();
  private final Map<String, String> constants = new LinkedHashMap<>();
  private final Map<String, List<String>> shared = new HashMap<>();
  private int nodes;

  /** Known when a block begins. */
  private Optional<String> begun = Optional.empty();

  GraphBuilder(String name, ElementType type, LinearLayers layers) {
    this.name = name;
    this.type = type;
    this.layers = layers;
    graph.setName(name);
  }

  /** Returns the element type of arithmetic, and of weights unless they say otherwise. */
  ElementType type() {
    return type;
  }

  /** Returns how a weight is stored whose layer was chosen by that. */
  TensorInfo stored(String weightName) {
    return layers.stored(weightName).orElseThrow();
  }

  /** Declares an input; dimensions are numbers or names. */
  String input(String inputName, ElementType inputType, Object... dimensions) {
    graph.addInput(OnnxMessages.value(inputName, inputType, dimensions));
    return inputName;
  }

  /** Makes a value an output under a name; dimensions are numbers or names. */
  void output(String outputName, String source, ElementType outputType, Object... dimensions) {
    graph.addNode(
        OnnxMessages.node("", "Identity", outputName, List.of(source), List.of(outputName)));
    graph.addOutput(OnnxMessages.value(outputName, outputType, dimensions));
  }

  /** Names a weight of the checkpoint and the shape that it must have. */
  String weight(String weightName, long... dimensions) {
    return weight(weightName, type, dimensions);
  }

  /** The same in another element type than the network's. */
  String weight(String weightName, ElementType weightType, long... dimensions) {
    return derived(weightName, GraphWeight.values(weightName, Shape.of(dimensions), weightType));
  }

  /** Names a tensor that is made from a weight of the checkpoint. */
  String derived(String tensorName, GraphWeight weight) {
    GraphWeight before = weights.putIfAbsent(tensorName, weight);
    if (before != null && !before.equals(weight)) {
      throw new IllegalStateException(tensorName + " is used as " + before + " and " + weight);
    }
    return tensorName;
  }

  /** Adds an int64 constant of rank 1. */
  String longs(long... values) {
    String key = "longs" + Arrays.toString(values);
    return constant(key, key, name -> OnnxMessages.longs(name, values));
  }

  /** Adds a float constant of rank 1 in the given type, rounded from float32. */
  String floats(ElementType constantType, float... values) {
    return constant(
        "floats_" + constantType + "_" + Arrays.toString(values),
        "constant_" + constants.size(),
        name -> OnnxMessages.floats(name, constantType, values));
  }

  /** Adds a float64 constant of rank 1. */
  String doubles(double... values) {
    return constant(
        "doubles" + Arrays.toString(values),
        "constant_" + constants.size(),
        name -> OnnxMessages.doubles(name, values));
  }

  /** Adds a uint8 constant [1]. */
  String unsignedByte(int value) {
    String key = "byte" + value;
    return constant(key, key, name -> OnnxMessages.unsignedByte(name, value));
  }

  /** Adds an int64 constant of rank 0. */
  String scalar(long value) {
    String key = "scalar" + value;
    return constant(key, key, name -> OnnxMessages.scalar(name, value));
  }

  /** Equal constants are one. */
  private String constant(String key, String newName, Function<String, TensorProto> tensor) {
    return constants.computeIfAbsent(
        key,
        k -> {
          graph.addInitializer(tensor.apply(newName));
          return newName;
        });
  }

  /**
   * Adds nodes that several others may need.
   *
   * @param key what they compute from what
   * @param nodes adds them and names their results; asked once for each key
   * @return the names
   */
  List<String> once(String key, Supplier<List<String>> nodes) {
    List<String> known = shared.get(key);
    if (known == null) {
      known = nodes.get();
      shared.put(key, known);
    }
    return known;
  }

  /**
   * Says that a block begins: what is added from here on to expand weights waits for a value.
   *
   * @param x what the block computes from, [B, ...]
   */
  void begin(String x) {
    begun = Optional.of(x);
  }

  /**
   * Adds zero to numbers that a weight is expanded with, but not before the activations of its
   * layer are known. ONNX Runtime computes first what depends on no input, and would so expand all
   * weights of a network before the first layer runs.
   *
   * @param numbers constant, of an element type
   * @param x the layer's activations, [N, ...]
   * @return the same numbers
   */
  String paced(String numbers, ElementType numbersType, String x) {
    String zero =
        once(
                "zero " + numbersType + " after " + x + " and " + begun,
                () -> {
                  String size = dimension(x, 0);
                  if (begun.isPresent()) {
                    size = add(size, dimension(begun.get(), 0));
                  }
                  String nothing = multiply(size, longs(0));
                  return List.of(cast(nothing, ElementType.I64, numbersType));
                })
            .get(0);
    return add(numbers, zero);
  }

  /** Adds a node of the standard operators with one output. */
  String node(String operator, List<String> inputs, AttributeProto... attributes) {
    return nodes("", operator, inputs, 1, attributes).get(0);
  }

  /** Adds a node of ONNX Runtime's own operators with one output. */
  String microsoftNode(String operator, List<String> inputs, AttributeProto... attributes) {
    return nodes(NetworkGraph.MICROSOFT_DOMAIN, operator, inputs, 1, attributes).get(0);
  }

  private List<String> nodes(
      String domain,
      String operator,
      List<String> inputs,
      int outputs,
      AttributeProto... attributes) {
    if (nodes == MOST_NODES) {
      throw new ModelException(
          name
              + ": the configuration describes a network of more than "
              + MOST_NODES
              + " operators; use the configuration that belongs to the weights");
    }
    String nodeName = operator + "_" + nodes++;
    List<String> results =
        outputs == 1
            ? List.of(nodeName)
            : IntStream.range(0, outputs).mapToObj(i -> nodeName + "." + i).toList();
    graph.addNode(OnnxMessages.node(domain, operator, nodeName, inputs, results, attributes));
    return results;
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
    return from == to ? x : node("Cast", List.of(x), attribute("to", OnnxMessages.code(to)));
  }

  /**
   * Adds {@code x W^T + b} with the checkpoint's {@code PREFIX.weight} [outputs, inputs] and {@code
   * PREFIX.bias}, in the way that suits the stored weight and the layer's role.
   *
   * @param role what the layer is in its network
   * @param x [..., inputs], of any rank
   * @return [N, outputs], N being the product of all other dimensions
   */
  String linear(LayerRole role, String prefix, String x, long inputs, long outputs) {
    return linear(role, prefix, Optional.of(prefix + ".bias"), x, inputs, outputs);
  }

  /** The same without a bias. */
  String linearWithoutBias(LayerRole role, String prefix, String x, long inputs, long outputs) {
    return linear(role, prefix, Optional.empty(), x, inputs, outputs);
  }

  private String linear(
      LayerRole role, String prefix, Optional<String> bias, String x, long inputs, long outputs) {
    String weight = prefix + ".weight";
    return layers.layer(weight, role).emit(this, weight, bias, rows(x, inputs), inputs, outputs);
  }

  private String rows(String x, long columns) {
    return once("rows of " + x, () -> List.of(reshape(x, longs(-1, columns)))).get(0);
  }

  /**
   * Looks up rows of a weight [rows, columns], in the way that suits how it is stored.
   *
   * @param ids int64, of any shape
   * @return [..., columns], of the shape of the ids otherwise
   */
  String rows(String weightName, String ids, long rows, long columns) {
    Optional<TensorInfo> stored = layers.table(weightName);
    if (stored.filter(StoredBlocks::are).isPresent()) {
      return DequantisedTable.rows(this, weightName, ids, rows, columns);
    }
    // Float8 alone: Gather does not take it, and bfloat16 has all of its values.
    boolean small =
        stored.isPresent()
            && stored.get().encoding() instanceof ScaledElements
            && stored.get().type() == ElementType.BF16;
    ElementType tableType = small ? ElementType.BF16 : type;
    String table = weight(weightName, tableType, rows, columns);
    return cast(node("Gather", List.of(table, ids)), tableType, type);
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
  String attention(String q, String k, String v, int heads, AttributeProto... more) {
    AttributeProto[] attributes = Arrays.copyOf(more, more.length + 1);
    attributes[more.length] = attribute("num_heads", heads);
    return microsoftNode("MultiHeadAttention", List.of(q, k, v), attributes);
  }

  /** Completes the graph, whose operators are of {@link NetworkGraph#OPSET}. */
  NetworkGraph build() {
    return build(NetworkGraph.OPSET);
  }

  /** Completes the graph; {@code opset} is the version of ONNX's operators. */
  NetworkGraph build(long opset) {
    return new NetworkGraph(name, type, graph.build(), Collections.unmodifiableMap(weights), opset);
  }
}
