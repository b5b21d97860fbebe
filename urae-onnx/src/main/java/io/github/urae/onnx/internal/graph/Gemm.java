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
    return of(g, x, g.weight(weight, outputs, inputs), bias.map(name -> g.weight(name, outputs)));
  }

  @Override
  public LinearLayer ofOtherValues(TensorInfo weight, LayerRole role) {
    return this;
  }

  /**
   * Adds {@code x M^T + b}.
   *
   * @param x [N, inputs]
   * @param matrix [outputs, inputs]
   * @param addend [outputs] or [N, outputs]
   */
  static String of(GraphBuilder g, String x, String matrix, Optional<String> addend) {
    return g.node(
        "Gemm",
        addend.isPresent() ? List.of(x, matrix, addend.get()) : List.of(x, matrix),
        attribute("transB", 1));
  }
}
