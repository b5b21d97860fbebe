package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.quantised.ScaledElements;
import java.io.IOException;
import java.util.Optional;

/** The elements of {@link ScaledElements} as they lie in their file, without scales. */
record ElementCodes(String parameter, Shape parameterShape) implements WeightForm {

  @Override
  public String description() {
    return "elements";
  }

  @Override
  public Optional<TensorInfo> place(TensorInfo stored, ElementType type) {
    return stored.encoding() instanceof ScaledElements scaled && scaled.elements() == type
        ? Optional.of(StoredElements.plain(stored, type, stored.shape()))
        : Optional.empty();
  }

  @Override
  public Origin origin() {
    return Origin.CODES;
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    StoredElements.copy(source, parameter, sink);
  }
}
