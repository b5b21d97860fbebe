package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.weights.TensorInfo;
import java.util.Optional;

/**
 * A way to compute a linear layer of a network from its weight as it is stored. One for quantised
 * weights is a class of its own and an entry of {@link LinearLayers}.
 */
interface LinearLayer {

  /**
   * Tells whether this way suits a stored weight.
   *
   * @param weight where it lies, and in which encoding
   * @param role what the layer is in its network
   * @return whether {@link #emit} can be asked for it
   */
  boolean takes(TensorInfo weight, LayerRole role);

  /**
   * Adds {@code x W^T + b} to a graph.
   *
   * @param g the graph, with activations of {@link GraphBuilder#type()}
   * @param weight name of the weight, [outputs, inputs]; what the graph takes of it is declared by
   *     {@link GraphBuilder#weight(String, ElementType, long...)} or {@link GraphBuilder#derived}
   * @param bias name of the bias, [outputs]
   * @param x [N, inputs]
   * @param inputs columns of the weight
   * @param outputs rows of the weight
   * @return [N, outputs]
   */
  String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs);

  /**
   * Returns the way in which the layer is computed after its weight was changed to values that
   * nobody has quantised yet.
   *
   * @param weight as it was stored
   * @param role what the layer is in its network
   * @return this way, if it takes any values and is about as exact as 8 bits; else one that is
   */
  default LinearLayer ofOtherValues(TensorInfo weight, LayerRole role) {
    return role != LayerRole.EDGE && RoundedWeight.suits(weight) ? new RoundedWeight() : new Gemm();
  }
}
