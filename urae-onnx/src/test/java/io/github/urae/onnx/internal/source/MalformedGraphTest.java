package io.github.urae.onnx.internal.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.SparseTensorProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorProto.DataType;
import com.google.protobuf.ByteString;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A graph that is none is refused by name of the node, in bounded time, before it is walked. */
@Timeout(value = 300, unit = TimeUnit.SECONDS)
class MalformedGraphTest {

  @TempDir Path folder;

  static NodeProto node(String operator, String name, List<String> inputs, String... outputs) {
    return OnnxMessages.node("", operator, name, inputs, List.of(outputs));
  }

  static NodeProto cast(String from, String to) {
    return OnnxMessages.cast("cast " + to, from, to, OnnxMessages.code(ElementType.F32));
  }

  /** A graph from x to y. */
  static GraphProto.Builder graph(NodeProto... nodes) {
    return GraphProto.newBuilder()
        .setName("test")
        .addInput(OnnxMessages.value("x", ElementType.F32, "n"))
        .addOutput(OnnxMessages.value("y", ElementType.F32, "n"))
        .addAllNode(List.of(nodes));
  }

  static ModelProto.Builder model(GraphProto.Builder graph) {
    return ModelProto.newBuilder()
        .setIrVersion(9)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(17))
        .setGraph(graph);
  }

  private OnnxFile read(GraphProto.Builder graph) throws IOException {
    return OnnxFile.read(
        Files.write(folder.resolve("model.onnx"), model(graph).build().toByteArray()));
  }

  private void assertRefused(GraphProto.Builder graph, String... parts) {
    assertThatThrownBy(() -> read(graph))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(folder.resolve("model.onnx").toString())
        .hasMessageContainingAll(parts);
  }

  @Test
  void nodesThatNeedTheirOwnResult() {
    assertRefused(graph(cast("y", "y")), "node 'cast y' (Cast)", "needs its own result");
    assertRefused(
        graph(node("Identity", "self", List.of("y"), "y")), "node 'self' (Identity)", "own result");
    assertRefused(
        graph(
            cast("x", "start"),
            node("Add", "first", List.of("start", "b"), "a"),
            node("Relu", "second", List.of("a"), "b"),
            node("Relu", "last", List.of("b"), "y")),
        "node 'first' (Add)",
        "through [node 'second']");
  }

  @Test
  void aCircleBehindASoftmax() {
    assertRefused(
        graph(
            node("Mul", "factor", List.of("scaled", "x"), "scores"),
            node("Cast", "loop", List.of("scores"), "scaled").toBuilder()
                .addAttribute(OnnxMessages.attribute("to", 1))
                .build(),
            node("Softmax", "softmax", List.of("scaled"), "y")),
        "needs its own result");
  }

  @Test
  void missingInputsAndOutputs() {
    assertRefused(
        graph(node("Relu", "relu", List.of("nowhere"), "y")),
        "node 'relu' (Relu)",
        "reads 'nowhere'");
    assertRefused(graph(node("Relu", "relu", List.of("x"), "z")), "output 'y'", "no node makes it");
    assertRefused(graph(), "output 'y'", "no node makes it");
    assertRefused(
        graph(cast("x", "y"), node("Relu", "none", List.of("x"))), "'none'", "has no output");
    assertRefused(
        graph(cast("x", "y"), node("Relu", "empty", List.of("x"), "")), "'empty'", "has no output");
    assertRefused(graph(node("", "nameless", List.of("x"), "y")), "'nameless'", "has no operator");
  }

  @Test
  void tooFewInputsOfOperatorsThatAreLookedInto() {
    for (String operator :
        List.of(
            "Softmax",
            "Cast",
            "Identity",
            "Transpose",
            "ReduceMean",
            "Add",
            "Mul",
            "MatMul",
            "Gemm",
            "Where",
            "Div",
            "Pow",
            "Conv",
            "Gather",
            "CastLike",
            "LayerNormalization")) {
      assertRefused(graph(node(operator, "short", List.of(), "y")), "'short'", "found []");
      assertRefused(graph(node(operator, "empty", List.of(""), "y")), "'empty'", "expected");
    }
    assertRefused(
        graph(node("Identity", "two", List.of("x", "x"), "y")), "'two'", "expected 1 inputs");
    assertRefused(
        graph(node("MatMul", "one", List.of("x", ""), "y")), "'one'", "expected 2 inputs");
    assertRefused(graph(node("Constant", "read", List.of("x"), "y")), "'read'", "0 inputs");
    assertRefused(
        graph(node("Softmax", "two", List.of("x"), "y", "z")), "'two'", "at most 1 outputs");
    assertRefused(graph(node("Cast", "to", List.of("x"), "y")), "'to'", "attribute 'to'");
    assertRefused(graph(OnnxMessages.cast("cast", "x", "y", 77)), "'cast'", "casts to type 77");
  }

  @Test
  void valuesWithTwoMakers() {
    assertRefused(
        graph(cast("x", "y"), node("Relu", "again", List.of("x"), "y")),
        "node 'again' (Relu)",
        "node 'cast y' makes too");
    assertRefused(graph(cast("x", "y"), node("Relu", "in", List.of("y"), "x")), "'in'", "an input");
    assertRefused(
        graph(cast("c", "y"), node("Relu", "over", List.of("x"), "c"))
            .addInitializer(OnnxMessages.longs("c", 1)),
        "'over'",
        "initializer");
    assertRefused(
        graph(cast("x", "y")).addInput(OnnxMessages.value("x", ElementType.F32, 1)), "input 'x'");
    assertRefused(
        graph(cast("x", "y")).addOutput(OnnxMessages.value("y", ElementType.F32, 1)),
        "output 'y' is there twice");
    assertRefused(
        graph(cast("x", "y"))
            .addInitializer(OnnxMessages.longs("c", 1))
            .addInitializer(OnnxMessages.tensor("c", ElementType.I64, 1).addInt64Data(1)),
        "initializer 'c' is there twice");
    assertRefused(
        graph(cast("x", "y")).addInitializer(OnnxMessages.longs("", 1)), "initializer has no name");
  }

  @Test
  void graphsInsideOfNodes() throws IOException {
    assertRefused(branch(node("Relu", "inside", List.of("gone"), "z")), "'if'", "reads 'gone'");
    assertRefused(branch(node("Relu", "inside", List.of("z"), "z")), "'inside'", "own result");
    assertRefused(branch(node("Relu", "inside", List.of("x"), "z", "x")), "'inside'", "an input");
    assertRefused(branch(node("Relu", "inside", List.of("y"), "z")), "'if'", "own result");
    assertThat(read(branch(node("Relu", "inside", List.of("x"), "z"))).graph().getNodeCount())
        .isEqualTo(2);
  }

  private static GraphProto.Builder branch(NodeProto inside) {
    GraphProto.Builder body =
        GraphProto.newBuilder()
            .setName("body")
            .addOutput(OnnxMessages.value("z", ElementType.F32, "n"))
            .addNode(inside);
    NodeProto condition =
        node("Constant", "condition", List.of(), "c").toBuilder()
            .addAttribute(
                OnnxMessages.attribute(
                    "value", OnnxMessages.tensor("", ElementType.BOOL).addInt32Data(1).build()))
            .build();
    NodeProto.Builder branch = node("If", "if", List.of("c"), "y").toBuilder();
    for (String name : List.of("then_branch", "else_branch")) {
      branch.addAttribute(
          AttributeProto.newBuilder()
              .setName(name)
              .setType(AttributeProto.AttributeType.GRAPH)
              .setG(body));
    }
    return graph(condition, branch.build());
  }

  /** Walks that go both ways at each of these would never end. */
  @Test
  void diamonds() throws IOException {
    GraphProto.Builder graph = graph();
    String before = "x";
    for (int i = 0; i < 5000; i++) {
      graph
          .addNode(node("Relu", "left " + i, List.of(before), "l" + i))
          .addNode(node("Tanh", "right " + i, List.of(before), "r" + i))
          .addNode(node("Add", "join " + i, List.of("l" + i, "r" + i), "j" + i));
      before = "j" + i;
    }
    graph.addNode(node("Softmax", "softmax", List.of(before), "y"));
    OnnxFile file = read(graph);
    assertThat(file.graph().getNodeCount()).isEqualTo(15_001);
    assertThat(Ingredients.of(file.graph())).containsEntry(Ingredients.Kind.GELU, 5000);
    GraphProto.Builder rewritten = file.graph().toBuilder();
    GraphRewriter.rewriteInPlace(file.path(), rewritten, 1);
    assertThat(rewritten.getNodeCount()).isEqualTo(15_001);
  }

  /** One call for each of these would be too many for the stack. */
  @Test
  void longChains() throws IOException {
    int length = 20_000;
    GraphProto.Builder graph = graph();
    graph.addInitializer(OnnxMessages.tensor("w", ElementType.F32, 1).setRawData(bytes(4)));
    String before = "w";
    for (int i = 0; i < length; i++) {
      graph.addNode(node("Identity", "n" + i, List.of(before), "v" + i));
      before = "v" + i;
    }
    graph.addNode(node("Add", "a", List.of("x", before), "y"));
    OnnxFile file = read(graph);
    assertThat(ParameterNames.recover(file, Collections.singletonMap("a.bias", Shape.of(1))))
        .isEmpty();
    GraphProto.Builder rewritten = file.graph().toBuilder();
    GraphRewriter.rewriteInPlace(file.path(), rewritten, 1);
    assertThat(rewritten.getNodeCount()).isEqualTo(length + 1);
  }

  @Test
  void manySoftmaxesBehindOneChain() throws IOException {
    GraphProto.Builder graph = graph();
    String before = "x";
    for (int i = 0; i < 20_000; i++) {
      graph.addNode(cast(before, "c" + i));
      before = "c" + i;
    }
    for (int i = 0; i < 20_000; i++) {
      graph.addNode(node("Softmax", "s" + i, List.of(before), "s" + i));
    }
    graph.addNode(cast(before, "y"));
    OnnxFile file = read(graph);
    GraphProto.Builder rewritten = file.graph().toBuilder();
    assertThat(GraphRewriter.rewriteInPlace(file.path(), rewritten, 1).fused()).isZero();
  }

  @Test
  void anyOrderBecomesOneThatRuns() throws IOException {
    List<NodeProto> sorted =
        List.of(
            cast("x", "a"),
            node("Relu", "b", List.of("a"), "b"),
            node("Add", "c", List.of("a", "b"), "y"));
    assertThat(read(graph().addAllNode(sorted)).graph().getNodeList()).isEqualTo(sorted);
    assertThat(read(graph(sorted.get(2), sorted.get(1), sorted.get(0))).graph().getNodeList())
        .isEqualTo(sorted);
  }

  @Test
  void tooManyNodes() {
    GraphProto.Builder graph = graph();
    NodeProto nothing = NodeProto.getDefaultInstance();
    IntStream.rangeClosed(0, OnnxFile.MAX_NODES).forEach(i -> graph.addNode(nothing));
    assertRefused(graph, "more than " + OnnxFile.MAX_NODES + " nodes");
  }

  @Test
  void moreOfOneNodeThanAnyHas() {
    String[] many = new String[5000];
    Arrays.setAll(many, i -> "o" + i);
    assertRefused(
        graph(cast("x", "y"), node("Concat", "wide", Collections.nCopies(5000, "x"), "o")),
        "5000 inputs, outputs or attributes");
    assertRefused(
        graph(cast("x", "y"), node("Split", "wide", List.of("x"), many)), "5000 inputs, outputs");
    NodeProto wide = node("Concat", "", Collections.nCopies(4000, "x"), "o");
    GraphProto.Builder graph = graph();
    IntStream.range(0, 600).forEach(i -> graph.addNode(wide));
    assertRefused(graph, "more than 2097152 inputs and outputs");
  }

  @Test
  void namesThatAreNone() {
    assertRefused(
        graph(cast("x", "y"), node("Relu", "n".repeat(5000), List.of("x"), "z")),
        "a name takes 5000 bytes");
    ByteString noText = ByteString.copyFrom(new byte[] {'a', (byte) 0xff});
    NodeProto relu = node("Relu", "relu", List.of("x"), "z");
    for (NodeProto.Builder changed :
        List.of(
            relu.toBuilder().setNameBytes(noText),
            relu.toBuilder().addInputBytes(noText),
            relu.toBuilder().addOutputBytes(noText),
            relu.toBuilder().setOpTypeBytes(noText),
            relu.toBuilder()
                .addAttribute(AttributeProto.newBuilder().setNameBytes(noText).setI(1)))) {
      assertRefused(graph(cast("x", "y"), changed.build()), "is not UTF-8");
    }
    assertRefused(
        graph(cast("x", "y"))
            .addInitializer(OnnxMessages.longs("", 1).toBuilder().setNameBytes(noText)),
        "is not UTF-8");
    // Of values, which may be any bytes, ONNX Runtime says what it thinks.
    assertThatCode(
            () ->
                read(
                    graph(
                        cast("x", "y"),
                        relu.toBuilder()
                            .addAttribute(AttributeProto.newBuilder().setName("mode").setS(noText))
                            .build())))
        .doesNotThrowAnyException();
  }

  private static NodeProto constant(TensorProto.Builder value) {
    return node("Constant", "constant", List.of(), "c").toBuilder()
        .addAttribute(OnnxMessages.attribute("value", value.build()))
        .build();
  }

  @Test
  void constantsOfAnotherSizeThanTheirShape() throws IOException {
    long huge = 1L << 40;
    for (TensorProto.Builder value :
        List.of(
            OnnxMessages.tensor("", ElementType.F32, huge),
            OnnxMessages.tensor("", ElementType.F32, 2).setRawData(bytes(4)),
            OnnxMessages.tensor("", ElementType.F32, 2).addFloatData(1),
            OnnxMessages.tensor("", ElementType.I64, 2).addInt64Data(1),
            OnnxMessages.tensor("", ElementType.F64, 2).addDoubleData(1),
            OnnxMessages.tensor("", ElementType.BOOL, 2).addInt32Data(1),
            TensorProto.newBuilder().setDataType(DataType.STRING_VALUE).addDims(huge))) {
      assertRefused(
          graph(cast("x", "y"), constant(value)), "'constant'", "'value'", "elements, found");
      assertRefused(
          branch(constant(value).toBuilder().setOutput(0, "z").build()), "'constant'", "found");
    }
    assertRefused(
        graph(cast("x", "y"), constant(OnnxMessages.tensor("", ElementType.F32, huge, huge))),
        "impossible shape");
    assertRefused(
        graph(cast("x", "y"), constant(OnnxMessages.tensor("", ElementType.F32, -1))),
        "impossible shape [-1]");
    for (int type : new int[] {0, 99, -1}) {
      assertRefused(
          graph(cast("x", "y"), constant(TensorProto.newBuilder().setDataType(type).addDims(0))),
          "element type " + type);
    }
    assertRefused(
        graph(cast("x", "y")).addInitializer(OnnxMessages.tensor("c", ElementType.I64, huge)),
        "initializer 'c'",
        "found 0");
    for (TensorProto.Builder value :
        List.of(
            OnnxMessages.tensor("", ElementType.F32, 0),
            OnnxMessages.tensor("", ElementType.F32).addFloatData(1),
            OnnxMessages.tensor("", ElementType.F16, 2, 1).setRawData(bytes(4)),
            TensorProto.newBuilder()
                .setDataType(DataType.COMPLEX64_VALUE)
                .addFloatData(1)
                .addFloatData(2))) {
      read(graph(cast("x", "y"), constant(value)));
    }
  }

  /** Values stored one by one are not read; that they are there must not be overlooked. */
  @Test
  void initializersStoredOneByOne() {
    for (TensorProto.Builder value :
        List.of(
            OnnxMessages.tensor("c", ElementType.F64, 1).addDoubleData(1),
            OnnxMessages.tensor("c", ElementType.U8, 1).addInt32Data(1),
            TensorProto.newBuilder()
                .setName("c")
                .setDataType(DataType.STRING_VALUE)
                .addDims(1)
                .addStringData(ByteString.EMPTY),
            TensorProto.newBuilder()
                .setName("c")
                .setDataType(DataType.UINT64_VALUE)
                .addDims(1)
                .addUint64Data(1))) {
      assertRefused(graph(cast("x", "y")).addInitializer(value), "stored one by one");
    }
  }

  /** ONNX Runtime would read another file, or memory at an address that the file names. */
  @Test
  void constantsElsewhere() {
    for (String location : List.of("/etc/passwd", "model.onnx", "*/_ORT_MEM_ADDR_/*")) {
      TensorProto value =
          OnnxMessages.external(OnnxMessages.tensor("w", ElementType.F32, 1), location, 16, 4);
      assertRefused(graph(cast("x", "y"), constant(value.toBuilder())), "found external data");
      NodeProto branch = branch(cast("x", "z")).getNode(1);
      GraphProto.Builder inside = branch.getAttribute(0).getG().toBuilder().addInitializer(value);
      assertRefused(
          graph(
              branch(cast("x", "z")).getNode(0),
              branch.toBuilder()
                  .setAttribute(0, branch.getAttribute(0).toBuilder().setG(inside))
                  .build()),
          "initializer 'w'",
          "found external data");
    }
  }

  @Test
  void attributesThatAreNone() {
    AttributeProto to = OnnxMessages.attribute("to", 1);
    assertRefused(
        graph(cast("x", "y").toBuilder().addAttribute(to).build()),
        "'cast y'",
        "'to' is there twice");
    assertRefused(
        graph(
            cast("x", "y").toBuilder().setAttribute(0, to.toBuilder().setRefAttrName("t")).build()),
        "'cast y'",
        "outside of any");
    assertRefused(
        graph(
            cast("x", "y"),
            node("Constant", "sparse", List.of(), "c").toBuilder()
                .addAttribute(
                    AttributeProto.newBuilder()
                        .setName("sparse_value")
                        .setSparseTensor(SparseTensorProto.newBuilder().addDims(1L << 40)))
                .build()),
        "'sparse'",
        "sparse tensors are not supported");
  }

  @Test
  void operatorSetOfTwoVersions() {
    ModelProto.Builder model =
        model(graph(cast("x", "y"))).addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(18));
    Path file = folder.resolve("model.onnx");
    assertThatThrownBy(() -> OnnxFile.read(Files.write(file, model.build().toByteArray())))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll(file.toString(), "of two versions, 17 and 18");
    model.setOpsetImport(1, OperatorSetIdProto.newBuilder().setDomain("ai.onnx").setVersion(17));
    assertThatCode(() -> OnnxFile.read(Files.write(file, model.build().toByteArray())))
        .doesNotThrowAnyException();
    for (long version : new long[] {Long.MIN_VALUE, -1, 0, Integer.MAX_VALUE + 18L}) {
      model.clearOpsetImport().addOpsetImport(OperatorSetIdProto.newBuilder().setVersion(version));
      assertThatThrownBy(() -> OnnxFile.read(Files.write(file, model.build().toByteArray())))
          .isInstanceOf(ModelException.class)
          .hasMessageContaining("found " + version);
    }
  }

  /** Messages that hold messages, deeper than any stack; and lengths that nothing follows. */
  @Test
  void messagesThatAreBombs() throws IOException {
    byte[] groups = new byte[1 << 20];
    Arrays.fill(groups, (byte) 0x63); // Groups that begin.
    NodeProto inner = node("Relu", "deep", List.of("x"), "z");
    for (int i = 0; i < 60; i++) {
      inner =
          node("If", "if " + i, List.of("x"), "z" + i).toBuilder()
              .addAttribute(
                  AttributeProto.newBuilder()
                      .setName("then_branch")
                      .setG(GraphProto.newBuilder().addNode(inner)))
              .build();
    }
    byte[] deep = model(graph(inner)).build().toByteArray();
    byte[] lengths = {0x3a, (byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 7, 0x0a};
    byte[] negative = {0x3a, (byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 15};
    for (byte[] bomb : List.of(groups, deep, lengths, negative)) {
      Path file = Files.write(folder.resolve("bomb.onnx"), bomb);
      assertThatThrownBy(() -> OnnxFile.read(file))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining(file + ": not a valid ONNX file");
    }
  }

  /** Many branches under many names: what each sees is not copied. */
  @Test
  void manyGraphsInsideOfNodes() throws IOException {
    GraphProto.Builder graph = branch(node("Relu", "inside", List.of("x"), "z"));
    NodeProto branch = graph.getNode(1);
    for (int i = 0; i < 20_000; i++) {
      graph.addNode(branch.toBuilder().setOutput(0, "again" + i));
    }
    assertThat(read(graph).graph().getNodeCount()).isEqualTo(20_002);
  }

  /** Bytes may be shared: read only, they cannot hurt. */
  @Test
  void initializersThatOverlap() throws IOException {
    Files.write(folder.resolve("data"), new byte[64]);
    GraphProto.Builder graph = graph(cast("x", "y"));
    for (int i = 0; i < 4; i++) {
      graph.addInitializer(
          OnnxMessages.external(
              OnnxMessages.tensor("w" + i, ElementType.F32, 8), "data", i * 8L, 32));
    }
    assertThat(read(graph).initializers()).hasSize(4);
    graph.addInitializer(
        OnnxMessages.external(
            OnnxMessages.tensor("over", ElementType.F32, 8), "data", Long.MAX_VALUE - 8, 32));
    assertRefused(graph, "'over'", "which ends at 64");
  }

  @Test
  void aTransposeThatPermutesNothing() throws IOException {
    NodeProto transpose = node("Transpose", "t", List.of("w"), "t");
    for (boolean turns : new boolean[] {true, false}) {
      GraphProto.Builder graph =
          graph(
                  transpose.toBuilder()
                      .addAttribute(
                          OnnxMessages.attribute(
                              "perm", turns ? new int[] {1, 0} : new int[] {0, 1}))
                      .build(),
                  node("MatMul", "/layer/MatMul", List.of("x", "t"), "y"))
              .addInitializer(
                  OnnxMessages.tensor("w", ElementType.F32, 3, 3).setRawData(bytes(36)));
      ParameterNames.Found found =
          ParameterNames.recover(
                  read(graph), Collections.singletonMap("layer.weight", Shape.of(3, 3)))
              .get("layer.weight");
      assertThat(found.transposed()).isEqualTo(!turns);
    }
  }

  @Test
  void operatorsOfUnknownDomains() {
    assertThatThrownBy(
            () ->
                read(
                    graph(
                        OnnxMessages.node(
                            "com.example", "MatMul", "own", List.of("x"), List.of("y")))))
        .isInstanceOf(ModelException.class)
        .hasMessageContainingAll("node 'own'", "'MatMul' of 'com.example'");
  }

  static ByteString bytes(int length) {
    return ByteString.copyFrom(new byte[length]);
  }
}
