package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;

/**
 * A tensor of a graph that comes from a checkpoint.
 *
 * @param shape its dimensions in the graph
 * @param type its element type in the graph
 * @param form what of which weight it is
 */
public record GraphWeight(Shape shape, ElementType type, WeightForm form) {

  /**
   * A weight whose values the graph takes as they are.
   *
   * @param parameter its name
   * @param shape its dimensions
   * @param type element type in the graph
   * @return the tensor
   */
  public static GraphWeight values(String parameter, Shape shape, ElementType type) {
    return new GraphWeight(shape, type, new ParameterValues(parameter, shape));
  }

  /**
   * Returns how many bytes it takes.
   *
   * @return its size in bytes
   */
  public long byteSize() {
    return type.byteSize(shape.elementCount());
  }
}
