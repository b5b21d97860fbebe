package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.weights.TensorInfo;
import java.util.List;
import java.util.Optional;

/**
 * The matrix product in the network's own type, of the values of any weight. These feed the
 * operator directly, so that they can be replaced in a session.
 */
final class Gemm implements LinearLayer {

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    return true;
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    String matrix = g.weight(weight, outputs, inputs);
    return g.node(
        "Gemm",
        bias.isPresent() ? List.of(x, matrix, g.weight(bias.get(), outputs)) : List.of(x, matrix),
        attribute("transB", 1));
  }
}
