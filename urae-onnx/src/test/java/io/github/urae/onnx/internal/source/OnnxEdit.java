package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.internal.Elements;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/** Changes to an exported model, as other exporters or accidents make them. */
public final class OnnxEdit {

  private OnnxEdit() {}

  /** Rewrites a {@code model.onnx} in place. */
  public static void edit(Path file, Consumer<ModelProto.Builder> change) throws IOException {
    ModelProto.Builder model = ModelProto.parseFrom(Files.readAllBytes(file)).toBuilder();
    change.accept(model);
    Files.write(file, model.build().toByteArray());
  }

  /** Renames nodes; values keep their names. */
  public static Consumer<ModelProto.Builder> nodeNames(UnaryOperator<String> rename) {
    return model -> {
      for (NodeProto.Builder node : model.getGraphBuilder().getNodeBuilderList()) {
        node.setName(rename.apply(node.getName()));
      }
    };
  }

  /** Adds a node that changes nothing, behind a sigmoid: no network of FLUX.1 has it. */
  public static void addRelu(ModelProto.Builder model) {
    GraphProto.Builder graph = model.getGraphBuilder();
    for (int i = 0; i < graph.getNodeCount(); i++) {
      if (graph.getNode(i).getOpType().equals("Sigmoid")) {
        String output = graph.getNode(i).getOutput(0);
        graph.getNodeBuilder(i).setOutput(0, "before relu");
        graph.addNode(
            i + 1,
            NodeProto.newBuilder()
                .setOpType("Relu")
                .setName("added")
                .addInput("before relu")
                .addOutput(output));
        return;
      }
    }
    throw new IllegalArgumentException("no sigmoid");
  }

  /** Renames an initializer and what reads it. */
  public static Consumer<ModelProto.Builder> initializerName(String from, String to) {
    return model -> {
      for (TensorProto.Builder tensor : model.getGraphBuilder().getInitializerBuilderList()) {
        if (tensor.getName().equals(from)) {
          tensor.setName(to);
        }
      }
      for (NodeProto.Builder node : model.getGraphBuilder().getNodeBuilderList()) {
        for (int i = 0; i < node.getInputCount(); i++) {
          if (node.getInput(i).equals(from)) {
            node.setInput(i, to);
          }
        }
      }
    };
  }

  /** Sets an entry of the external data of every initializer that has some. */
  public static Consumer<ModelProto.Builder> externalData(String key, String value) {
    return model -> {
      for (TensorProto.Builder tensor : model.getGraphBuilder().getInitializerBuilderList()) {
        for (StringStringEntryProto.Builder entry : tensor.getExternalDataBuilderList()) {
          if (entry.getKey().equals(key)) {
            entry.setValue(value);
          }
        }
      }
    };
  }

  /**
   * Converts a model to half precision: initializers, constants, casts, inputs and outputs. The
   * external data moves into the file.
   */
  public static void toHalf(Path file) throws IOException {
    Path folder = file.getParent();
    edit(
        file,
        model -> {
          GraphProto.Builder graph = model.getGraphBuilder();
          graph.getInitializerBuilderList().forEach(tensor -> toHalf(tensor, folder));
          for (NodeProto.Builder node : graph.getNodeBuilderList()) {
            for (AttributeProto.Builder attribute : node.getAttributeBuilderList()) {
              if (attribute.getName().equals("to")
                  && attribute.getI() == TensorProto.DataType.FLOAT_VALUE) {
                attribute.setI(TensorProto.DataType.FLOAT16_VALUE);
              }
              if (attribute.hasT()) {
                toHalf(attribute.getTBuilder(), folder);
              }
            }
          }
          graph.getInputBuilderList().forEach(OnnxEdit::toHalf);
          graph.getOutputBuilderList().forEach(OnnxEdit::toHalf);
        });
  }

  private static void toHalf(ValueInfoProto.Builder value) {
    if (value.getType().getTensorType().getElemType() == TensorProto.DataType.FLOAT_VALUE) {
      value.getTypeBuilder().getTensorTypeBuilder().setElemType(TensorProto.DataType.FLOAT16_VALUE);
    }
  }

  private static void toHalf(TensorProto.Builder tensor, Path folder) {
    if (tensor.getDataType() != TensorProto.DataType.FLOAT_VALUE) {
      return;
    }
    ByteBuffer stored = tensor.getRawData().asReadOnlyByteBuffer();
    if (tensor.getExternalDataCount() > 0) {
      stored = external(tensor, folder);
    }
    float[] values = new float[stored.remaining() / Float.BYTES];
    stored.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    ByteBuffer halves = ByteBuffer.allocate(values.length * Short.BYTES);
    Elements.fromFloats(ElementType.F16, values, 0, values.length, halves);
    tensor
        .clearExternalData()
        .setDataLocation(TensorProto.DataLocation.DEFAULT)
        .setDataType(TensorProto.DataType.FLOAT16_VALUE)
        .setRawData(ByteString.copyFrom(halves.flip()));
  }

  private static ByteBuffer external(TensorProto.Builder tensor, Path folder) {
    String location = "";
    int offset = 0;
    int length = 0;
    for (StringStringEntryProto entry : tensor.getExternalDataList()) {
      switch (entry.getKey()) {
        case "location" -> location = entry.getValue();
        case "offset" -> offset = Integer.parseInt(entry.getValue());
        case "length" -> length = Integer.parseInt(entry.getValue());
        default -> throw new IllegalArgumentException(entry.getKey());
      }
    }
    try {
      byte[] all = Files.readAllBytes(folder.resolve(location));
      return ByteBuffer.wrap(all, offset, length).slice();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
