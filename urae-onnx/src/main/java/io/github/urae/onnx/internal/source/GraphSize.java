package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import com.google.protobuf.ByteString;
import io.github.urae.FileFormatException;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import java.nio.file.Path;
import java.util.List;

/**
 * Counts nodes, values and letters while a file is read, those of graphs inside of nodes too, so
 * that whatever walks the graph afterwards ends. FLUX.1's exports have about 10 000 nodes with 30
 * 000 values.
 */
final class GraphSize {

  private static final int MAX_VALUES = 1 << 21;

  /** Inputs, outputs or attributes of one node. */
  private static final int MAX_OF_NODE = 1 << 12;

  private static final int MAX_NAME_BYTES = 1 << 12;

  private final Path path;
  private int nodes;
  private int values;

  GraphSize(Path path) {
    this.path = path;
  }

  /**
   * Counts a node and what is inside of it.
   *
   * @throws FileFormatException if there are too many, or a name is too long or no text
   */
  void add(NodeProto node) {
    nodes++;
    if (nodes > OnnxFile.MAX_NODES) {
      throw new FileFormatException(path + ": more than " + OnnxFile.MAX_NODES + " nodes");
    }
    checkName(node.getNameBytes());
    checkName(node.getOpTypeBytes());
    checkName(node.getDomainBytes());
    add(node.getInputList().asByteStringList());
    add(node.getOutputList().asByteStringList());
    checkCount(node.getAttributeCount());
    for (AttributeProto attribute : node.getAttributeList()) {
      checkName(attribute.getNameBytes());
    }
    for (GraphProto graph : OnnxMessages.graphs(node)) {
      addValues(graph.getInputCount());
      addValues(graph.getOutputCount());
      addValues(graph.getInitializerCount());
      graph.getInputList().forEach(input -> checkName(input.getNameBytes()));
      graph.getOutputList().forEach(output -> checkName(output.getNameBytes()));
      graph.getInitializerList().forEach(tensor -> checkName(tensor.getNameBytes()));
      graph.getNodeList().forEach(this::add);
    }
  }

  /** Counts inputs or outputs. */
  void add(List<ByteString> names) {
    checkCount(names.size());
    addValues(names.size());
    names.forEach(this::checkName);
  }

  void addValues(int count) {
    values += count;
    if (values > MAX_VALUES) {
      throw new FileFormatException(
          path + ": more than " + MAX_VALUES + " inputs and outputs of nodes");
    }
  }

  private void checkCount(int count) {
    if (count > MAX_OF_NODE) {
      throw new FileFormatException(
          path
              + ": a node has "
              + count
              + " inputs, outputs or attributes, expected at most "
              + MAX_OF_NODE);
    }
  }

  /** Two names that are no text would look the same once they are read as text. */
  void checkName(ByteString name) {
    if (name.size() > MAX_NAME_BYTES) {
      throw new FileFormatException(
          path
              + ": a name takes "
              + name.size()
              + " bytes, expected at most "
              + MAX_NAME_BYTES
              + ": "
              + name.substring(0, 40).toStringUtf8()
              + "...");
    }
    if (!name.isValidUtf8()) {
      throw new FileFormatException(path + ": the name '" + name.toStringUtf8() + "' is not UTF-8");
    }
  }
}
