package io.github.urae.onnx.internal.graph;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Element types of operators' results, by ONNX's numbers. ONNX Runtime infers them too but tells
 * Java nothing about values inside a graph. Most operators' results are of the type of the first
 * input; those here whose are not are all that ONNX has up to operator set 25.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/docs/Operators.md">ONNX: operators</a>
 */
final class ResultTypes {

  private static final Set<String> BOOLEAN =
      Set.of(
          "Equal",
          "Greater",
          "GreaterOrEqual",
          "Less",
          "LessOrEqual",
          "And",
          "Or",
          "Xor",
          "Not",
          "IsNaN",
          "IsInf",
          "RegexFullMatch");

  private static final Set<String> LONG =
      Set.of("Shape", "Size", "ArgMax", "ArgMin", "NonZero", "NonMaxSuppression", "SequenceLength");

  /** By the input whose type the first result has. */
  private static final Map<String, Integer> AS_INPUT =
      Map.ofEntries(
          Map.entry("CastLike", 1),
          Map.entry("Where", 1),
          Map.entry("OneHot", 2),
          Map.entry("RMSNormalization", 1),
          Map.entry("DequantizeLinear", 1),
          Map.entry("MatMulIntegerToFloat", 2),
          Map.entry("QLinearConv", 7),
          Map.entry("QLinearMatMul", 7));

  /** Those of ONNX's operators that give sequences or optional values, not tensors. */
  private static final Set<String> NO_TENSOR =
      Set.of(
          "ConcatFromSequence",
          "SequenceAt",
          "SequenceConstruct",
          "SequenceEmpty",
          "SequenceErase",
          "SequenceInsert",
          "SequenceMap",
          "SplitToSequence",
          "Optional",
          "OptionalGetElement",
          "OptionalHasElement",
          "StringSplit",
          "TfIdfVectorizer",
          "ImageDecoder");

  /** Those of ONNX Runtime's own operators that are known: results are like the first input. */
  private static final Set<String> MICROSOFT =
      Set.of(
          "Attention",
          "BiasAdd",
          "BiasGelu",
          "BiasSplitGelu",
          "DynamicQuantizeMatMul",
          "FastGelu",
          "FusedConv",
          "FusedGemm",
          "FusedMatMul",
          "FusedMatMulActivation",
          "Gelu",
          "GroupNorm",
          "GroupQueryAttention",
          "MatMulBnb4",
          "MatMulFpQ4",
          "MatMulIntegerToFloat",
          "MatMulNBits",
          "MultiHeadAttention",
          "NhwcConv",
          "PackedMultiHeadAttention",
          "QuickGelu",
          "RotaryEmbedding",
          "SimplifiedLayerNormalization",
          "SkipGroupNorm",
          "SkipLayerNormalization",
          "SkipSimplifiedLayerNormalization",
          "TransposeMatMul",
          "Trilu");

  private ResultTypes() {}

  /**
   * Returns the element type of one of a node's results.
   *
   * @param node a node of ONNX's operators or ONNX Runtime's
   * @param output position of the result
   * @param types of the values that the node reads, by name
   * @return ONNX's number of the type; empty if it is not known
   */
  static Optional<Integer> of(NodeProto node, int output, Map<String, Integer> types) {
    String operator = node.getOpType();
    if (node.getDomain().equals(NetworkGraph.MICROSOFT_DOMAIN)) {
      if (!MICROSOFT.contains(operator)) {
        return Optional.empty();
      }
    } else if (!node.getDomain().isEmpty() || NO_TENSOR.contains(operator)) {
      return Optional.empty();
    }
    if (BOOLEAN.contains(operator)) {
      return Optional.of(DataType.BOOL_VALUE);
    }
    if (LONG.contains(operator)) {
      return Optional.of(DataType.INT64_VALUE);
    }
    if (AS_INPUT.containsKey(operator)) {
      return input(node, AS_INPUT.get(operator), types);
    }
    Optional<Integer> first = input(node, 0, types);
    return switch (operator) {
      case "Cast" -> attribute(node, "to");
      case "Constant" -> constant(node);
      case "ConstantOfShape" ->
          Optional.of(
              OnnxMessages.attribute(node, "value")
                  .map(value -> value.getT().getDataType())
                  .orElse(DataType.FLOAT_VALUE));
      case "EyeLike", "RandomNormalLike", "RandomUniformLike", "Bernoulli" ->
          attribute(node, "dtype").or(() -> first);
      case "RandomNormal", "RandomUniform" ->
          attribute(node, "dtype").or(() -> Optional.of(DataType.FLOAT_VALUE));
      case "Multinomial" -> attribute(node, "dtype").or(() -> Optional.of(DataType.INT32_VALUE));
      case "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix" ->
          attribute(node, "output_datatype").or(() -> Optional.of(DataType.FLOAT_VALUE));
      case "QuantizeLinear" ->
          input(node, 2, types)
              .or(() -> attribute(node, "output_dtype").filter(type -> type != 0))
              .or(() -> Optional.of(DataType.UINT8_VALUE));
      case "DynamicQuantizeLinear" ->
          Optional.of(output == 1 ? DataType.FLOAT_VALUE : DataType.UINT8_VALUE);
      case "ConvInteger", "MatMulInteger" -> Optional.of(DataType.INT32_VALUE);
      case "TopK", "Unique", "MaxPool" -> output == 0 ? first : Optional.of(DataType.INT64_VALUE);
      case "Dropout" -> output == 0 ? first : Optional.of(DataType.BOOL_VALUE);
      // Means and deviations, and the sum that follows them.
      case "LayerNormalization",
          "SimplifiedLayerNormalization",
          "SkipLayerNormalization",
          "SkipSimplifiedLayerNormalization" ->
          output == 1 || output == 2 ? Optional.of(DataType.FLOAT_VALUE) : first;
      case "If" -> declared(node, "then_branch", output);
      // A loop's body gives its condition first.
      case "Loop" -> declared(node, "body", output + 1);
      case "Scan" -> declared(node, "body", output);
      default -> first;
    };
  }

  private static Optional<Integer> input(NodeProto node, int index, Map<String, Integer> types) {
    return Optional.ofNullable(types.get(OnnxMessages.input(node, index)));
  }

  private static Optional<Integer> attribute(NodeProto node, String name) {
    return OnnxMessages.attribute(node, name)
        .map(AttributeProto::getI)
        .filter(type -> type == type.intValue())
        .map(Long::intValue);
  }

  private static Optional<Integer> constant(NodeProto node) {
    for (AttributeProto attribute : node.getAttributeList()) {
      switch (attribute.getName()) {
        case "value" -> {
          return Optional.of(attribute.getT().getDataType());
        }
        case "value_float", "value_floats" -> {
          return Optional.of(DataType.FLOAT_VALUE);
        }
        case "value_int", "value_ints" -> {
          return Optional.of(DataType.INT64_VALUE);
        }
        case "value_string", "value_strings" -> {
          return Optional.of(DataType.STRING_VALUE);
        }
        case "sparse_value" -> {
          return Optional.of(attribute.getSparseTensor().getValues().getDataType());
        }
        default -> {
          // Documentation.
        }
      }
    }
    return Optional.empty();
  }

  /** The type that a graph inside the node declares for one of its outputs. */
  private static Optional<Integer> declared(NodeProto node, String name, int output) {
    return OnnxMessages.attribute(node, name)
        .map(AttributeProto::getG)
        .map(GraphProto::getOutputList)
        .filter(outputs -> output < outputs.size())
        .map(outputs -> outputs.get(output).getType().getTensorType().getElemType())
        .filter(type -> type != 0);
  }
}
