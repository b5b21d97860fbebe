package io.github.urae.onnx.internal.source;

import static io.github.urae.onnx.internal.source.MalformedGraphTest.graph;
import static io.github.urae.onnx.internal.source.MalformedGraphTest.model;
import static io.github.urae.onnx.internal.source.MalformedGraphTest.node;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.FunctionProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnxruntime.OrtException;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.onnx.internal.session.ModelRunner;
import io.github.urae.tensor.ElementType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Functions that a model brings along become nodes that compute the same. */
@Timeout(value = 300, unit = TimeUnit.SECONDS)
class FunctionInlinerTest {

  private static final String DOMAIN = "local";

  @TempDir Path folder;

  static NodeProto call(String function, String name, List<String> inputs, String... outputs) {
    return OnnxMessages.node(DOMAIN, function, name, inputs, List.of(outputs));
  }

  static FunctionProto.Builder function(
      String name, List<String> inputs, List<String> outputs, NodeProto... nodes) {
    return FunctionProto.newBuilder()
        .setDomain(DOMAIN)
        .setName(name)
        .addAllInput(inputs)
        .addAllOutput(outputs)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(17))
        .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain(DOMAIN).setVersion(1))
        .addAllNode(List.of(nodes));
  }

  static ModelProto.Builder with(GraphProto.Builder graph, FunctionProto.Builder... functions) {
    ModelProto.Builder model =
        model(graph)
            .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain(DOMAIN).setVersion(1));
    for (FunctionProto.Builder function : functions) {
      model.addFunctions(function);
    }
    return model;
  }

  private OnnxFile read(ModelProto.Builder model) throws IOException {
    return OnnxFile.read(Files.write(folder.resolve("m.onnx"), model.build().toByteArray()));
  }

  private void assertRefused(
      Class<? extends UraeException> type, ModelProto.Builder model, String... parts) {
    assertThatThrownBy(() -> read(model)).isInstanceOf(type).hasMessageContainingAll(parts);
  }

  private static NodeProto leaky(String from, String to, String attribute) {
    return node("LeakyRelu", "leaky", List.of(from), to).toBuilder()
        .addAttribute(
            AttributeProto.newBuilder()
                .setName("alpha")
                .setRefAttrName(attribute)
                .setType(AttributeProto.AttributeType.FLOAT))
        .build();
  }

  /** Nested calls, an attribute given and one by default, an input left out. */
  private static ModelProto.Builder everything() {
    NodeProto steep =
        call("Steep", "b", List.of("a"), "b").toBuilder()
            .addAttribute(OnnxMessages.attribute("slope", 0.5f))
            .build();
    return with(
        graph(
            call("Twice", "/layers.0", List.of("x"), "a", "handed"),
            steep,
            call("Clipped", "c", List.of("b", "", "handed"), "c"),
            call("Steep", "d", List.of("c"), "d"),
            node("Add", "last", List.of("d", "handed"), "y")),
        function(
            "Twice",
            List.of("value"),
            List.of("sum", "same"),
            node("Identity", "same", List.of("value"), "same"),
            call("Steep", "inner", List.of("value"), "x"),
            node("Add", "add", List.of("x", "x"), "sum")),
        function("Steep", List.of("v"), List.of("w"), leaky("v", "w", "slope"))
            .addAttributeProto(OnnxMessages.attribute("slope", 0.25f)),
        function(
            "Clipped",
            List.of("v", "low", "high"),
            List.of("w"),
            node("ReduceMax", "max", List.of("high"), "most").toBuilder()
                .addAttribute(OnnxMessages.attribute("keepdims", 0))
                .build(),
            node("Clip", "clip", List.of("v", "low", "most"), "w")));
  }

  @Test
  void inlinedNodesComputeWhatFunctionsDo() throws IOException, OrtException {
    ModelProto model = everything().build();
    OnnxFile file = read(everything());
    assertThat(file.graph().getNodeList())
        .extracting(NodeProto::getOpType)
        .contains("LeakyRelu", "Add", "Clip")
        .doesNotContain("Twice", "Steep", "Clipped");
    assertThat(file.graph().getNodeList())
        .extracting(NodeProto::getName)
        .contains("/layers.0/add", "/layers.0/inner/leaky");
    ModelProto inlined =
        model.toBuilder().clearFunctions().removeOpsetImport(1).setGraph(file.graph()).build();
    float[] x = {-8, -0.5f, 0, 0.75f, 3};
    assertThat(ModelRunner.run(inlined, x))
        .isEqualTo(ModelRunner.run(model, x))
        .doesNotContain(Float.NaN);
  }

  @Test
  void functionsInsideBranches() throws IOException, OrtException {
    GraphProto.Builder body =
        GraphProto.newBuilder()
            .setName("body")
            .addNode(call("Steep", "inside", List.of("x"), "z"))
            .addOutput(graph().getOutput(0).toBuilder().setName("z"));
    NodeProto.Builder branch = node("If", "if", List.of("c"), "y").toBuilder();
    for (String name : List.of("then_branch", "else_branch")) {
      branch.addAttribute(
          AttributeProto.newBuilder()
              .setName(name)
              .setType(AttributeProto.AttributeType.GRAPH)
              .setG(body));
    }
    ModelProto.Builder model =
        with(
            graph(
                node("ReduceSum", "sum", List.of("x"), "s").toBuilder()
                    .addAttribute(OnnxMessages.attribute("keepdims", 0))
                    .build(),
                node("Greater", "positive", List.of("s", "s"), "c"),
                branch.build()),
            everything().getFunctionsBuilder(1));
    GraphProto inlined = read(model).graph();
    float[] x = {-2, 1};
    assertThat(
            ModelRunner.run(
                model.clone().clearFunctions().removeOpsetImport(1).setGraph(inlined).build(), x))
        .isEqualTo(ModelRunner.run(model.build(), x))
        .containsExactly(-0.5f, 1);
  }

  @Test
  void functionsThatCallThemselves() {
    assertRefused(
        FileFormatException.class,
        with(
            graph(call("A", "a", List.of("x"), "y")),
            function("A", List.of("v"), List.of("w"), call("B", "b", List.of("v"), "w")),
            function("B", List.of("v"), List.of("w"), call("A", "c", List.of("v"), "w"))),
        "calls itself",
        "[A, B]");
  }

  /** Thirty functions, each calling the one before twice, are a thousand million nodes. */
  @Test
  void functionsThatMultiply() {
    for (boolean empty : new boolean[] {true, false}) {
      ModelProto.Builder model = with(graph(call("F30", "a", List.of("x"), "y")));
      model.addFunctions(
          empty
              ? function("F0", List.of("v"), List.of("w"))
              : function("F0", List.of("v"), List.of("w"), node("Relu", "r", List.of("v"), "w")));
      for (int i = 1; i <= 30; i++) {
        String before = "F" + (i - 1);
        model.addFunctions(
            function(
                "F" + i,
                List.of("v"),
                List.of("w"),
                call(before, "1", List.of("v"), "u"),
                call(before, "2", List.of("u"), "w")));
      }
      assertRefused(FileFormatException.class, model, "more than " + OnnxFile.MAX_NODES);
    }
  }

  @Test
  void longNamesThatMultiply() {
    ModelProto.Builder model = with(graph(call("A", "n".repeat(1 << 12), List.of("x"), "y")));
    FunctionProto.Builder many = function("A", List.of("v"), List.of("w"));
    for (int i = 0; i < 40_000; i++) {
      many.addNode(node("Relu", "r", List.of("v"), i == 0 ? "w" : "w" + i));
    }
    assertRefused(FileFormatException.class, model.addFunctions(many), "letters in their names");
  }

  /** One constant in a function is many once its calls are inlined. */
  @Test
  void constantsThatMultiply() {
    GraphProto.Builder graph = graph();
    for (int i = 0; i < 1000; i++) {
      graph.addNode(call("A", "a" + i, List.of("x"), i == 0 ? "y" : "y" + i));
    }
    NodeProto constant =
        node("Constant", "c", List.of(), "w").toBuilder()
            .addAttribute(
                OnnxMessages.attribute(
                    "value",
                    OnnxMessages.tensor("", ElementType.U8, 1 << 20)
                        .setRawData(MalformedGraphTest.bytes(1 << 20))
                        .build()))
            .build();
    assertRefused(
        FileFormatException.class,
        with(graph, function("A", List.of("v"), List.of("w"), constant)),
        OnnxFile.MAX_GRAPH_BYTES + " bytes");
  }

  @Test
  void functionsThatDoNotFit() {
    GraphProto.Builder graph = graph(call("A", "a", List.of("x", "x"), "y"));
    assertRefused(
        FileFormatException.class,
        with(graph, function("A", List.of("v"), List.of("w"), node("Relu", "", List.of("v"), "w"))),
        "node 'a'",
        "takes 1 inputs");
    FunctionProto.Builder two =
        function("A", List.of("v", "u"), List.of("w"), node("Relu", "r", List.of("t"), "w"));
    assertRefused(FileFormatException.class, with(graph, two), "node 'a/r'", "reads 'a#0/t'");
    assertRefused(FileFormatException.class, with(graph, two, two), "is there twice");
    assertRefused(
        FileFormatException.class,
        with(graph, function("A", List.of("v", "u"), List.of("u"))),
        "output 'u' is one of its inputs");
    assertRefused(
        ModelException.class,
        with(graph, two.clone().setOpsetImport(0, OperatorSetIdProto.newBuilder().setVersion(18))),
        "function 'A' of 'local'",
        "operator set 17",
        "found 18");
  }
}
