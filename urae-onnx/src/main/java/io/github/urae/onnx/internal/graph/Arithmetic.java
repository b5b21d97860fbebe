package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import java.util.Map;

/**
 * What a network computes in.
 *
 * @param type F32, BF16 or F16: element type of activations, and of weights that are not of linear
 *     layers
 * @param linear how linear layers are computed
 * @param adapted weights that adapters change, by name, and what becomes of their layers; not those
 *     that the graph takes as plain values, which a session can be given others of
 */
public record Arithmetic(
    ElementType type, LinearArithmetic linear, Map<String, Adaptation> adapted) {

  /** float32 throughout, from any checkpoint. */
  public static final Arithmetic FLOAT32 = new Arithmetic(ElementType.F32, LinearArithmetic.PLAIN);

  /**
   * What a network computes in.
   *
   * @param type F32, BF16 or F16
   * @param linear how linear layers are computed
   */
  public Arithmetic(ElementType type, LinearArithmetic linear) {
    this(type, linear, Map.of());
  }

  /** Copies the weights' names. */
  public Arithmetic {
    adapted = Map.copyOf(adapted);
  }

  /**
   * Returns the same for a network some of whose weights are changed by adapters.
   *
   * @param weights those weights, all of them, and what becomes of their layers
   * @return what it computes in
   */
  public Arithmetic adapting(Map<String, Adaptation> weights) {
    return new Arithmetic(type, linear, weights);
  }
}
