package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.TransposedElements;
import io.github.urae.weights.internal.WeightConversion;
import java.io.IOException;
import java.util.Optional;

/** The values of a weight, in the type and shape that the graph takes. */
record ParameterValues(String parameter, Shape parameterShape) implements WeightForm {

  @Override
  public String description() {
    return "values";
  }

  @Override
  public Optional<TensorInfo> place(TensorInfo stored, ElementType type) {
    boolean transposed = stored.encoding().equals(new TransposedElements(type));
    return stored.isPlain(type) || transposed ? Optional.of(stored) : Optional.empty();
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    WeightConversion.values(source, parameter, type, sink);
  }
}
