package io.github.urae.fuzz;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.FunctionProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Changes an ONNX model: how values flow, attributes, initializers and their places, types and
 * shapes of inputs and outputs, versions, functions and graphs inside of nodes.
 */
final class OnnxMutation implements Mutation {

  private static final int MAX_CHANGES = 4;

  private static final List<String> OPERATORS =
      List.of(
          "Add",
          "Cast",
          "Constant",
          "ConstantOfShape",
          "Concat",
          "Conv",
          "Expand",
          "Gather",
          "Gemm",
          "Identity",
          "If",
          "Loop",
          "LayerNormalization",
          "MatMul",
          "Mul",
          "Pad",
          "Range",
          "Reshape",
          "Resize",
          "Scan",
          "Shape",
          "Slice",
          "Softmax",
          "Split",
          "Squeeze",
          "Tile",
          "TopK",
          "Transpose",
          "Unsqueeze",
          "Where");

  @Override
  public byte[] change(byte[] example, Choices choices) {
    ModelProto.Builder model;
    try {
      model = ModelProto.parseFrom(example).toBuilder();
    } catch (InvalidProtocolBufferException e) {
      throw new UncheckedIOException(e);
    }
    for (int i = 1 + choices.below(MAX_CHANGES); i > 0; i--) {
      switch (choices.below(8)) {
        case 0 -> changeInitializer(model.getGraphBuilder(), choices);
        case 1 -> changeInterface(model.getGraphBuilder(), choices);
        case 2 -> changeModel(model, choices);
        case 3, 4 -> changeAttribute(model.getGraphBuilder(), choices);
        default -> changeNode(model.getGraphBuilder(), choices);
      }
    }
    return model.build().toByteArray();
  }

  private static void changeNode(GraphProto.Builder graph, Choices choices) {
    if (graph.getNodeCount() == 0) {
      return;
    }
    int index = choices.below(graph.getNodeCount());
    NodeProto.Builder node = graph.getNodeBuilder(index);
    NodeProto other = graph.getNode(choices.below(graph.getNodeCount()));
    switch (choices.below(14)) {
      case 0 -> graph.removeNode(index);
      case 1 -> graph.addNode(choices.below(graph.getNodeCount()), node.build());
      case 2 -> {
        NodeProto.Builder copy = node.build().toBuilder();
        for (int i = 0; i < copy.getOutputCount(); i++) {
          copy.setOutput(i, copy.getOutput(i) + " again");
        }
        graph.addNode(index, copy);
      }
      case 3, 4 -> rewire(node, choices, other.getOutputCount() > 0 ? other.getOutput(0) : "");
      case 5 -> rewire(node, choices, node.getOutputCount() > 0 ? node.getOutput(0) : "");
      case 6 -> rewire(node, choices, choices.oneIn(2) ? "" : choices.text());
      case 7 -> node.addInput(other.getInputCount() > 0 ? other.getInput(0) : "");
      case 8 -> {
        List<String> inputs = new ArrayList<>(node.getInputList());
        if (!inputs.isEmpty()) {
          inputs.remove(choices.below(inputs.size()));
        }
        node.clearInput().addAllInput(inputs);
      }
      case 9 -> node.addOutput(choices.oneIn(2) ? "" : choices.text());
      case 10 -> node.clearOutput();
      case 11 -> node.setOpType(choices.oneIn(2) ? choices.of(OPERATORS) : other.getOpType());
      case 12 -> node.setDomain(choices.of(List.of("", "ai.onnx", "com.microsoft", "own")));
      default -> {
        int count = graph.getInitializerCount();
        if (count > 0) {
          rewire(node, choices, graph.getInitializer(choices.below(count)).getName());
        }
      }
    }
  }

  private static void rewire(NodeProto.Builder node, Choices choices, String value) {
    if (node.getInputCount() > 0) {
      node.setInput(choices.below(node.getInputCount()), value);
    }
  }

  private static void changeAttribute(GraphProto.Builder graph, Choices choices) {
    if (graph.getNodeCount() == 0) {
      return;
    }
    NodeProto.Builder node = graph.getNodeBuilder(choices.below(graph.getNodeCount()));
    int count = node.getAttributeCount();
    if (count == 0 || choices.oneIn(8)) {
      node.addAttribute(attribute(graph, choices));
      return;
    }
    int index = choices.below(count);
    AttributeProto.Builder attribute = node.getAttributeBuilder(index);
    switch (choices.below(8)) {
      case 0 -> node.removeAttribute(index);
      case 1 -> node.addAttribute(attribute.build());
      case 2 -> attribute.setType(choices.of(List.of(AttributeProto.AttributeType.values())));
      case 3 -> attribute.setI(choices.edge());
      case 4 -> attribute.addInts(choices.edge());
      case 5 -> attribute.setS(ByteString.copyFrom(choices.some()));
      case 6 -> {
        if (attribute.hasT()) {
          changeTensor(attribute.getTBuilder(), choices);
        }
      }
      default -> {
        for (int i = 0; i < attribute.getIntsCount(); i++) {
          attribute.setInts(i, choices.edge());
        }
      }
    }
  }

  private static AttributeProto.Builder attribute(GraphProto.Builder graph, Choices choices) {
    String name =
        choices.of(
            List.of(
                "axis",
                "perm",
                "to",
                "value",
                "body",
                "then_branch",
                "else_branch",
                "num_heads",
                "epsilon",
                "group",
                "pads",
                "kernel_shape",
                "mode",
                "scale"));
    AttributeProto.Builder attribute = AttributeProto.newBuilder().setName(name);
    return switch (choices.below(4)) {
      case 0 ->
          attribute
              .setType(AttributeProto.AttributeType.GRAPH)
              .setG(nested(graph, choices, choices.of(List.of(1, 2, 5, 25))));
      case 1 -> attribute.setType(AttributeProto.AttributeType.INT).setI(choices.edge());
      case 2 ->
          attribute
              .setType(AttributeProto.AttributeType.TENSOR)
              .setT(
                  TensorProto.newBuilder().setDataType(7).addDims(1).addInt64Data(choices.edge()));
      default -> attribute.setType(AttributeProto.AttributeType.INTS).addInts(choices.edge());
    };
  }

  /** A graph with one node of the outer one, and a graph in it, and so on. */
  private static GraphProto nested(GraphProto.Builder graph, Choices choices, int depth) {
    NodeProto.Builder node = graph.getNode(choices.below(graph.getNodeCount())).toBuilder();
    GraphProto inside = GraphProto.getDefaultInstance();
    for (int i = 0; i < depth; i++) {
      GraphProto.Builder next = GraphProto.newBuilder().setName("g" + i);
      NodeProto.Builder copy = node.build().toBuilder();
      for (int j = 0; j < copy.getOutputCount(); j++) {
        copy.setOutput(j, copy.getOutput(j) + " in " + i);
        next.addOutput(ValueInfoProto.newBuilder().setName(copy.getOutput(j)));
      }
      copy.addAttribute(
          AttributeProto.newBuilder()
              .setName("body")
              .setType(AttributeProto.AttributeType.GRAPH)
              .setG(inside));
      inside = next.addNode(copy).build();
    }
    return inside;
  }

  private static void changeInitializer(GraphProto.Builder graph, Choices choices) {
    int count = graph.getInitializerCount();
    if (count == 0) {
      return;
    }
    int index = choices.below(count);
    switch (choices.below(4)) {
      case 0 -> graph.removeInitializer(index);
      case 1 -> graph.addInitializer(graph.getInitializer(choices.below(count)));
      default -> changeTensor(graph.getInitializerBuilder(index), choices);
    }
  }

  private static void changeTensor(TensorProto.Builder tensor, Choices choices) {
    switch (choices.below(9)) {
      case 0 -> tensor.setDataType(choices.below(30));
      case 1 -> tensor.addDims(choices.edge());
      case 2 -> {
        if (tensor.getDimsCount() > 0) {
          tensor.setDims(choices.below(tensor.getDimsCount()), choices.edge());
        }
      }
      case 3 -> tensor.clearDims();
      case 4 -> tensor.setRawData(ByteString.copyFrom(choices.some()));
      case 5 -> tensor.setDataLocation(choices.of(List.of(TensorProto.DataLocation.values())));
      case 6 -> tensor.addInt64Data(choices.edge());
      case 7 -> tensor.setName(choices.text());
      default ->
          tensor.addExternalData(
              StringStringEntryProto.newBuilder()
                  .setKey(choices.of(List.of("location", "offset", "length", "checksum")))
                  .setValue(
                      choices.oneIn(2)
                          ? Long.toString(choices.edge())
                          : choices.of(
                              List.of("model.onnx", "../model.onnx", "/dev/zero", "a\0", ""))));
    }
  }

  private static void changeInterface(GraphProto.Builder graph, Choices choices) {
    boolean input = choices.oneIn(2);
    int count = input ? graph.getInputCount() : graph.getOutputCount();
    if (count == 0) {
      return;
    }
    int index = choices.below(count);
    ValueInfoProto.Builder value =
        input ? graph.getInputBuilder(index) : graph.getOutputBuilder(index);
    TypeProto.Tensor.Builder type = value.getTypeBuilder().getTensorTypeBuilder();
    switch (choices.below(7)) {
      case 0 -> type.setElemType(choices.below(30));
      case 1 -> type.getShapeBuilder().addDimBuilder().setDimValue(choices.edge());
      case 2 -> {
        TensorShapeProto.Builder shape = type.getShapeBuilder();
        if (shape.getDimCount() > 0) {
          shape.getDimBuilder(choices.below(shape.getDimCount())).setDimValue(choices.edge());
        }
      }
      case 3 -> value.clearType();
      case 4 -> value.setName(choices.text());
      case 5 -> {
        if (input) {
          graph.removeInput(index);
        } else {
          graph.removeOutput(index);
        }
      }
      default -> graph.addInput(value.build());
    }
  }

  private static void changeModel(ModelProto.Builder model, Choices choices) {
    GraphProto.Builder graph = model.getGraphBuilder();
    switch (choices.below(5)) {
      case 0 -> model.setIrVersion(choices.edge());
      case 1 ->
          model.addOpsetImport(
              OperatorSetIdProto.newBuilder()
                  .setDomain(choices.of(List.of("", "ai.onnx", "com.microsoft", "own")))
                  .setVersion(choices.oneIn(2) ? choices.below(30) : choices.edge()));
      case 2 -> model.clearOpsetImport();
      default -> {
        if (graph.getNodeCount() > 0) {
          moveIntoFunction(model, choices.below(graph.getNodeCount()), choices);
        }
      }
    }
  }

  /** A node becomes a call of a function, which calls itself or others in the worst case. */
  private static void moveIntoFunction(ModelProto.Builder model, int index, Choices choices) {
    NodeProto.Builder call = model.getGraphBuilder().getNodeBuilder(index);
    String name = "f" + choices.below(4);
    FunctionProto.Builder function =
        FunctionProto.newBuilder()
            .setDomain("own")
            .setName(name)
            .addAllInput(call.getInputList())
            .addAllOutput(call.getOutputList())
            .addNode(call.build());
    for (int i = choices.below(4); i > 0; i--) {
      function.addNode(
          NodeProto.newBuilder()
              .setDomain("own")
              .setOpType("f" + choices.below(4))
              .addAllInput(call.getInputList())
              .addOutput("o" + i));
    }
    model.addFunctions(function);
    call.setDomain("own").setOpType(name).clearAttribute();
  }
}
