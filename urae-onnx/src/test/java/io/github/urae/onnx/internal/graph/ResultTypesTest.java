package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import ai.onnxruntime.OrtException;
import io.github.urae.CancellationToken;
import io.github.urae.ModelException;
import io.github.urae.device.Device;
import io.github.urae.onnx.internal.session.BlockwiseNetwork;
import io.github.urae.onnx.internal.session.ModelRunner;
import io.github.urae.onnx.internal.session.NetworkRuns;
import io.github.urae.onnx.internal.session.NetworkSession;
import io.github.urae.onnx.internal.session.SessionSettings;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Types of results are those that ONNX Runtime infers, and let a graph be cut anywhere. */
class ResultTypesTest {

  private static final Map<String, ElementType> VALUES =
      Map.of(
          "a", ElementType.F32,
          "b", ElementType.I64,
          "c", ElementType.BOOL,
          "h", ElementType.F16);

  @TempDir Path folder;

  private static NodeProto node(String operator, List<String> inputs, AttributeProto... more) {
    return OnnxMessages.node("", operator, operator, inputs, List.of("y"), more);
  }

  private static NodeProto two(String operator, List<String> inputs, AttributeProto... more) {
    return OnnxMessages.node("", operator, operator, inputs, List.of("y", "z"), more);
  }

  private static List<NodeProto> nodes() {
    TensorProto half = OnnxMessages.tensor("", ElementType.F16, 1).addInt32Data(0).build();
    AttributeProto floats =
        AttributeProto.newBuilder()
            .setName("value_floats")
            .setType(AttributeProto.AttributeType.FLOATS)
            .addFloats(1)
            .build();
    return List.of(
        node("CastLike", List.of("b", "a")),
        node("CastLike", List.of("a", "h")),
        node("Cast", List.of("a"), attribute("to", TensorProto.DataType.INT32_VALUE)),
        node("ConstantOfShape", List.of("b")),
        node("ConstantOfShape", List.of("b"), attribute("value", half)),
        node("ConstantOfShape", List.of("b"), attribute("value", OnnxMessages.longs("", 7))),
        node("GreaterOrEqual", List.of("a", "a")),
        node("LessOrEqual", List.of("b", "b")),
        node("Greater", List.of("a", "a")),
        node("Less", List.of("a", "a")),
        node("Equal", List.of("b", "b")),
        node("And", List.of("c", "c")),
        node("Or", List.of("c", "c")),
        node("Xor", List.of("c", "c")),
        node("Not", List.of("c")),
        node("IsNaN", List.of("a")),
        node("IsInf", List.of("a")),
        node("Constant", List.of(), attribute("value", OnnxMessages.longs("", 1))),
        node("Constant", List.of(), attribute("value_float", 1f)),
        node("Constant", List.of(), floats),
        node("Constant", List.of(), attribute("value_int", 1)),
        node("Constant", List.of(), attribute("value_ints", new int[] {1, 2})),
        node("Shape", List.of("a")),
        node("Size", List.of("a")),
        node("ArgMax", List.of("a")),
        node("ArgMin", List.of("a")),
        node("NonZero", List.of("a")),
        node("Where", List.of("c", "a", "a")),
        node("Where", List.of("c", "b", "b")),
        node("Expand", List.of("h", "b")),
        node("Gather", List.of("h", "b")),
        node("EyeLike", List.of("m")),
        node("EyeLike", List.of("m"), attribute("dtype", TensorProto.DataType.DOUBLE_VALUE)),
        node("RandomNormalLike", List.of("a")),
        node("RandomUniform", List.of(), attribute("shape", new int[] {2})),
        node("Bernoulli", List.of("a")),
        node("HannWindow", List.of("n")),
        node("QuantizeLinear", List.of("a", "t")),
        node("QuantizeLinear", List.of("a", "t", "s")),
        node("DequantizeLinear", List.of("u", "t", "s")),
        OnnxMessages.node("", "DynamicQuantizeLinear", "q", List.of("a"), List.of("y", "z", "w")),
        node("MatMulInteger", List.of("u", "u")),
        two("TopK", List.of("h", "k")),
        OnnxMessages.node("", "Unique", "u", List.of("a"), List.of("y", "z")),
        two("Dropout", List.of("a")),
        node("Range", List.of("n", "n", "n")),
        node("OneHot", List.of("b", "n", "p")),
        node("LayerNormalization", List.of("a", "a")),
        OnnxMessages.node("", "LayerNormalization", "l", List.of("h", "h"), List.of("y", "z", "w")),
        node("CumSum", List.of("a", "n")),
        node("Mod", List.of("b", "b")),
        node("Pow", List.of("a", "b")),
        node("Identity", List.of("c")),
        OnnxMessages.node(
            NetworkGraph.MICROSOFT_DOMAIN, "QuickGelu", "g", List.of("a"), List.of("y")));
  }

  private static GraphProto.Builder inputs() {
    GraphProto.Builder graph = GraphProto.newBuilder().setName("test");
    VALUES.forEach((name, type) -> graph.addInput(OnnxMessages.value(name, type, 4)));
    return graph
        .addInput(OnnxMessages.value("m", ElementType.F32, 3, 3))
        .addInput(OnnxMessages.value("n", ElementType.I64))
        .addInput(OnnxMessages.value("p", ElementType.F16, 2))
        .addInput(OnnxMessages.value("k", ElementType.I64, 1))
        .addInput(OnnxMessages.value("s", ElementType.U8))
        .addInput(OnnxMessages.value("u", ElementType.U8, 4))
        .addInput(OnnxMessages.value("t", ElementType.F32));
  }

  @Test
  void asOnnxRuntimeInfers() throws OrtException {
    Map<String, Integer> types = new HashMap<>();
    for (ValueInfoProto input : inputs().getInputList()) {
      types.put(input.getName(), input.getType().getTensorType().getElemType());
    }
    List<String> wrong = new ArrayList<>();
    for (NodeProto node : nodes()) {
      List<String> used = node.getInputList();
      GraphProto.Builder graph = GraphProto.newBuilder().setName("test").addNode(node);
      inputs().getInputList().stream()
          .filter(i -> used.contains(i.getName()))
          .forEach(graph::addInput);
      node.getOutputList()
          .forEach(name -> graph.addOutput(ValueInfoProto.newBuilder().setName(name)));
      ModelProto model =
          ModelProto.newBuilder()
              .setIrVersion(9)
              .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(19))
              .addOpsetImport(
                  OperatorSetIdProto.newBuilder()
                      .setDomain(NetworkGraph.MICROSOFT_DOMAIN)
                      .setVersion(1))
              .setGraph(graph)
              .build();
      Map<String, Integer> inferred = ModelRunner.outputTypes(model);
      for (int i = 0; i < node.getOutputCount(); i++) {
        int expected = inferred.get(node.getOutput(i));
        if (!ResultTypes.of(node, i, types).equals(Optional.of(expected))) {
          wrong.add(node.getName() + " " + i + ": " + expected);
        }
      }
    }
    assertThat(wrong).isEmpty();
  }

  /**
   * Every operator of fault 7 makes a value in one block that the next reads: with a wrong type
   * ONNX Runtime refuses the second.
   */
  private static NetworkGraph blocks() {
    List<NodeProto> nodes = new ArrayList<>();
    String w0 = "transformer_blocks.0.w";
    String w1 = "transformer_blocks.1.w";
    nodes.add(named("Add", "first", List.of("x", w0)));
    nodes.add(named("Shape", "shape", List.of("first")));
    nodes.add(named("CastLike", "like", List.of("shape", "first")));
    nodes.add(named("ConstantOfShape", "zeros", List.of("shape")));
    nodes.add(
        named(
            "ConstantOfShape",
            "ones",
            List.of("shape"),
            attribute("value", OnnxMessages.longs("", 1))));
    nodes.add(named("GreaterOrEqual", "atLeast", List.of("first", "zeros")));
    nodes.add(named("LessOrEqual", "atMost", List.of("first", "like")));
    nodes.add(named("IsNaN", "nan", List.of("first")));
    nodes.add(named("Constant", "half", List.of(), attribute("value_float", 0.5f)));
    nodes.add(named("Constant", "axes", List.of(), attribute("value_ints", new int[] {0})));
    nodes.add(named("Add", "second", List.of("first", w1)));
    nodes.add(named("And", "between", List.of("atLeast", "atMost")));
    nodes.add(named("Or", "either", List.of("between", "nan")));
    nodes.add(named("Where", "chosen", List.of("either", "second", "half")));
    nodes.add(named("Cast", "one", List.of("ones"), attribute("to", 1)));
    nodes.add(named("Sub", "less", List.of("chosen", "one")));
    nodes.add(named("Unsqueeze", "wide", List.of("less", "axes")));
    nodes.add(named("Squeeze", "flat", List.of("wide", "axes")));
    nodes.add(named("Add", "y", List.of("flat", "zeros")));
    GraphProto graph =
        GraphProto.newBuilder()
            .setName("blocks")
            .addAllNode(nodes)
            .addInput(OnnxMessages.value("x", ElementType.F32, "n"))
            .addOutput(OnnxMessages.value("y", ElementType.F32, "n"))
            .build();
    Map<String, GraphWeight> weights = new LinkedHashMap<>();
    weights.put(w0, GraphWeight.values(w0, Shape.of(3), ElementType.F32));
    weights.put(w1, GraphWeight.values(w1, Shape.of(3), ElementType.F32));
    return new NetworkGraph("blocks", ElementType.F32, graph, weights, NetworkGraph.OPSET);
  }

  private static NodeProto named(
      String operator, String output, List<String> inputs, AttributeProto... attributes) {
    return OnnxMessages.node("", operator, output, inputs, List.of(output), attributes);
  }

  @Test
  void blocksComputeWhatTheWholeDoes() throws IOException {
    NetworkGraph whole = blocks();
    assertThat(GraphSegments.cut(whole)).hasSize(2);
    Path file = folder.resolve("weights.safetensors");
    SafetensorsWriter.write(
        file,
        Map.of(),
        Map.of(
            "transformer_blocks.0.w", Tensor.ofFloats(new float[] {1, -4, 2}, 3),
            "transformer_blocks.1.w", Tensor.ofFloats(new float[] {0.25f, 8, -1}, 3)));
    SessionSettings settings = new SessionSettings(Device.cpu(), OptionalInt.of(1), false);
    Map<String, Tensor> input = Map.of("x", Tensor.ofFloats(new float[] {0.5f, 1, 7}, 3));
    try (TensorSource weights = Safetensors.open(file);
        NetworkSession session = NetworkSession.open(whole, weights, Map.of(), settings);
        BlockwiseNetwork blocks =
            new BlockwiseNetwork(
                whole, weights, Map.of(), settings, new NetworkRuns(TestData.CACHE))) {
      float[] expected = session.run(input, new CancellationToken());
      assertThat(expected).containsExactly(0.75f, -0.5f, -0.5f);
      assertThat(blocks.run(input, new CancellationToken())).isEqualTo(expected);
    }
  }

  @Test
  void unknownTypesAreRefused() {
    NetworkGraph whole = blocks();
    GraphProto.Builder graph = whole.graph().toBuilder();
    graph.setNode(0, graph.getNode(0).toBuilder().setOpType("SequenceConstruct"));
    assertThatThrownBy(
            () ->
                GraphSegments.cut(
                    new NetworkGraph(
                        "blocks", ElementType.F32, graph.build(), whole.weights(), whole.opset())))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("SequenceConstruct", "'first'", "one at a time");
  }
}
