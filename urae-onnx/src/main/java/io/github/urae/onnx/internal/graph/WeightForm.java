package io.github.urae.onnx.internal.graph;

import io.github.urae.adapter.internal.merge.ChangedWeight;
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
   * Finds the tensor among the stored bytes; unless said otherwise, it is not there.
   *
   * @param stored the weight as it is stored
   * @param type the element type that the graph takes
   * @return where it lies as it is needed, plain or {@linkplain
   *     io.github.urae.weights.internal.TransposedElements transposed}; empty if it has to be
   *     {@linkplain #write written} first
   */
  default Optional<TensorInfo> place(TensorInfo stored, ElementType type) {
    return Optional.empty();
  }

  /** What a tensor of a graph is made of. */
  enum Origin {
    /** The weight's values, and so of others as well. */
    VALUES,
    /** The codes and scales that are stored for them. */
    CODES,
    /** What adapters add to the weight. */
    CHANGES
  }

  /**
   * Returns what the tensor is made of.
   *
   * @return the values, unless said otherwise
   */
  default Origin origin() {
    return Origin.VALUES;
  }

  /**
   * Chooses what the tensor is made of after adapters have changed the weight.
   *
   * @param changed the weight
   * @return what to {@linkplain #write write} from
   * @throws IOException if the weight cannot be read
   * @throws io.github.urae.AdapterException if minor components cannot be computed
   */
  default TensorSource sourceOf(ChangedWeight changed) throws IOException {
    return changed.values();
  }

  /**
   * Writes the tensor.
   *
   * @param source holds the weight, or what {@link #sourceOf} gives
   * @param type the element type that the graph takes
   * @param sink takes the bytes
   * @throws IOException if reading or writing fails
   */
  void write(TensorSource source, ElementType type, ByteSink sink) throws IOException;
}
