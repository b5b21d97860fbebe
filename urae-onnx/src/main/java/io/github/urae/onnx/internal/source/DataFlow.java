package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.NodeProto;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which node makes a value and which nodes read it. The empty name, by which nodes leave optional
 * inputs and outputs out, is no value.
 */
final class DataFlow {

  /**
   * A place where a node reads a value.
   *
   * @param input position among the node's inputs
   */
  record Read(NodeProto node, int input) {}

  private final Map<String, NodeProto> makers = new HashMap<>();
  private final Map<String, List<Read>> reads = new HashMap<>();

  DataFlow(List<NodeProto> nodes) {
    for (NodeProto node : nodes) {
      for (String output : node.getOutputList()) {
        if (!output.isEmpty()) {
          makers.put(output, node);
        }
      }
      for (int i = 0; i < node.getInputCount(); i++) {
        if (!node.getInput(i).isEmpty()) {
          reads.computeIfAbsent(node.getInput(i), v -> new ArrayList<>()).add(new Read(node, i));
        }
      }
    }
  }

  /** Returns the node that makes a value; null for inputs, initializers and unknown names. */
  NodeProto maker(String value) {
    return makers.get(value);
  }

  /** Returns where a value is read, in the order of nodes and inputs. */
  List<Read> reads(String value) {
    return reads.getOrDefault(value, List.of());
  }
}
