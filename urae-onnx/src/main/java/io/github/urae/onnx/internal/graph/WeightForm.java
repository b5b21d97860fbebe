package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.util.Optional;

/**
 * How a tensor of a graph is made from a weight of the checkpoint: {@linkplain ParameterValues its
 * values}, or what an operator for quantised weights takes, such as blocks, scales or zero points.
 * Immutable; equal forms of equal checkpoints give equal bytes.
 */
public interface WeightForm {

  /**
   * Returns the weight's name in the checkpoint.
   *
   * @return the name of diffusers' parameter
   */
  String parameter();

  /**
   * Returns the shape that the weight must have.
   *
   * @return its dimensions as a parameter, whatever those in the graph
   */
  Shape parameterShape();

  /**
   * Says what is made of the weight.
   *
   * @return part of the key under which the result is cached; change it when the bytes change
   */
  String description();

  /**
   * Finds the tensor among the stored bytes.
   *
   * @param stored the weight as it is stored
   * @param type the element type that the graph takes
   * @return where it lies as it is needed, plain or {@linkplain
   *     io.github.urae.weights.internal.TransposedElements transposed}; empty if it has to be
   *     {@linkplain #write written} first
   */
  Optional<TensorInfo> place(TensorInfo stored, ElementType type);

  /**
   * Tells whether the tensor is made of the weight's values, and so of others as well.
   *
   * @return false if it is made of the codes and scales that are stored for them
   */
  default boolean isMadeOfValues() {
    return true;
  }

  /**
   * Writes the tensor.
   *
   * @param source holds the weight
   * @param type the element type that the graph takes
   * @param sink takes the bytes
   * @throws IOException if reading or writing fails
   */
  void write(TensorSource source, ElementType type, ByteSink sink) throws IOException;
}
