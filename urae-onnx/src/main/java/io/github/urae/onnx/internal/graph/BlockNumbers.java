package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;
import java.util.Optional;

/**
 * What the integers of a weight in {@linkplain io.github.urae.weights.internal.BlockEncoding
 * blocks} are multiplied by or what is added to that: a number for each group of values that share
 * it, row-major.
 *
 * @param kind which of the two
 */
record BlockNumbers(String parameter, Shape parameterShape, Kind kind) implements WeightForm {

  /** Which numbers of the groups. */
  enum Kind {
    SCALES,
    OFFSETS
  }

  @Override
  public String description() {
    return kind + " of blocks";
  }

  @Override
  public Optional<TensorInfo> place(TensorInfo stored, ElementType type) {
    return Optional.empty();
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    StoredBlocks.of(source, parameter)
        .write(
            1,
            (blocks, elements, groups, target) ->
                Elements.fromFloats(
                    type,
                    kind == Kind.SCALES ? blocks.scales() : blocks.offsets(),
                    0,
                    groups,
                    target),
            sink);
  }
}
