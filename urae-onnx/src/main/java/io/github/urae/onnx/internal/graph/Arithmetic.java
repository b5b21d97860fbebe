package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import java.util.Set;

/**
 * What a network computes in.
 *
 * @param type F32, BF16 or F16: element type of activations, and of weights that are not of linear
 *     layers
 * @param linear how linear layers are computed
 * @param replaced names of weights whose values a session will be given, so that the graph has to
 *     take them as they are, in {@code type}
 */
public record Arithmetic(ElementType type, LinearArithmetic linear, Set<String> replaced) {

  /** float32 throughout, from any checkpoint. */
  public static final Arithmetic FLOAT32 = new Arithmetic(ElementType.F32, LinearArithmetic.PLAIN);

  /**
   * What a network computes in.
   *
   * @param type F32, BF16 or F16
   * @param linear how linear layers are computed
   */
  public Arithmetic(ElementType type, LinearArithmetic linear) {
    this(type, linear, Set.of());
  }

  /** Copies the names. */
  public Arithmetic {
    replaced = Set.copyOf(replaced);
  }

  /**
   * Returns the same for a network some of whose weights are replaced.
   *
   * @param names those weights, all of them
   * @return what it computes in
   */
  public Arithmetic replacing(Set<String> names) {
    return new Arithmetic(type, linear, names);
  }
}
