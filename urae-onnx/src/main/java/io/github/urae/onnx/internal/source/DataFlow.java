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

  private final Map<String, NodeProto> makers = new HashMap<>();
  private final Map<String, List<NodeProto>> readers = new HashMap<>();

  DataFlow(List<NodeProto> nodes) {
    for (NodeProto node : nodes) {
      for (String output : node.getOutputList()) {
        if (!output.isEmpty()) {
          makers.put(output, node);
        }
      }
      for (String input : node.getInputList()) {
        if (!input.isEmpty()) {
          readers.computeIfAbsent(input, i -> new ArrayList<>()).add(node);
        }
      }
    }
  }

  /** Returns the node that makes a value; null for inputs, initializers and unknown names. */
  NodeProto maker(String value) {
    return makers.get(value);
  }

  /**
   * Returns the nodes that read a value, in their order; one that reads it twice is there twice.
   */
  List<NodeProto> readers(String value) {
    return readers.getOrDefault(value, List.of());
  }
}
