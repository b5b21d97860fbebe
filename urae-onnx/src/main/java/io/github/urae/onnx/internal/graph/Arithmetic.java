package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;

/**
 * What a network computes in.
 *
 * @param type F32, BF16 or F16: element type of activations, and of weights that are not of linear
 *     layers
 * @param linear how linear layers are computed
 */
public record Arithmetic(ElementType type, LinearArithmetic linear) {

  /** float32 throughout, from any checkpoint. */
  public static final Arithmetic FLOAT32 = new Arithmetic(ElementType.F32, LinearArithmetic.PLAIN);
}
