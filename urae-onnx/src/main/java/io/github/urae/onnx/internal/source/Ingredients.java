package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a network is made of, counted in patterns that exporters write in several ways: one node, or
 * a chain. Two graphs over the same parameters with the same ingredients are the same network.
 */
final class Ingredients {

  /** A pattern, as reports name it. */
  enum Kind {
    ATTENTION("attention"),
    PRODUCT("linear layer"),
    CONVOLUTION("convolution"),
    LAYER_NORM("layer normalisation"),
    RMS_NORM("root-mean-square normalisation"),
    GROUP_NORM("group normalisation"),
    GELU("GELU, tanh form"),
    OTHER_ACTIVATION("other activation"),
    CONTROL_FLOW("loop or branch");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }
  }

  private final DataFlow flow;
  private final Map<Kind, Integer> counts = new LinkedHashMap<>();

  private Ingredients(GraphProto graph) {
    flow = new DataFlow(graph.getNodeList());
    for (Kind kind : Kind.values()) {
      counts.put(kind, 0);
    }
  }

  /** Counts a graph's patterns. */
  static Map<Kind, Integer> of(GraphProto graph) {
    Ingredients ingredients = new Ingredients(graph);
    graph.getNodeList().forEach(ingredients::count);
    return ingredients.counts;
  }

  private void count(NodeProto node) {
    switch (node.getOpType()) {
      case "Softmax" -> {
        if (isAttention(node)) {
          // Its two products, of queries and keys and with values, are no linear layers.
          add(Kind.ATTENTION, 1);
          add(Kind.PRODUCT, -2);
        } else {
          add(Kind.OTHER_ACTIVATION, 1);
        }
      }
      case "MultiHeadAttention", "Attention" -> add(Kind.ATTENTION, 1);
      case "MatMul", "FusedMatMul", "Gemm" -> add(Kind.PRODUCT, 1);
      case "Conv" -> add(Kind.CONVOLUTION, 1);
      case "LayerNormalization" -> add(Kind.LAYER_NORM, 1);
      case "RMSNormalization", "SimplifiedLayerNormalization" -> add(Kind.RMS_NORM, 1);
      case "ReduceMean" -> meanSquare(node).ifPresent(kind -> add(kind, 1));
      case "InstanceNormalization", "GroupNormalization", "GroupNorm" -> add(Kind.GROUP_NORM, 1);
      case "Tanh", "Gelu", "FastGelu" -> add(Kind.GELU, 1);
      case "Erf", "Relu", "LeakyRelu", "Elu", "Selu", "PRelu", "Softplus", "HardSigmoid", "Mish" ->
          add(Kind.OTHER_ACTIVATION, 1);
      case "If", "Loop", "Scan" -> add(Kind.CONTROL_FLOW, 1);
      default -> {
        // Shapes, additions and the like are written differently by every exporter.
      }
    }
  }

  private void add(Kind kind, int count) {
    counts.merge(kind, count, Integer::sum);
  }

  /** Softmax of a product, perhaps scaled, masked or cast, whose result goes into a product. */
  private boolean isAttention(NodeProto softmax) {
    NodeProto before = flow.maker(softmax.getInput(0));
    for (int i = 0; i < 4 && before != null && !before.getOpType().equals("MatMul"); i++) {
      before = flow.maker(OnnxMessages.input(before, 0));
    }
    NodeProto after = softmax;
    for (int i = 0; i < 3 && !after.getOpType().equals("MatMul"); i++) {
      List<DataFlow.Read> next = flow.reads(after.getOutput(0));
      if (next.isEmpty()) {
        return false;
      }
      after = next.get(0).node();
    }
    return before != null && after.getOpType().equals("MatMul");
  }

  /** Normalisation in several nodes: the mean of squares, with or without the mean taken off. */
  private Optional<Kind> meanSquare(NodeProto mean) {
    NodeProto square = flow.maker(mean.getInput(0));
    boolean isSquare =
        square != null
            && (square.getOpType().equals("Pow")
                || (square.getOpType().equals("Mul")
                    && square.getInput(0).equals(square.getInput(1))));
    if (!isSquare) {
      return Optional.empty();
    }
    NodeProto base = flow.maker(square.getInput(0));
    boolean centred = base != null && base.getOpType().equals("Sub");
    return Optional.of(centred ? Kind.LAYER_NORM : Kind.RMS_NORM);
  }
}
