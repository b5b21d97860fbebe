package io.github.urae.onnx.internal.graph;

import io.github.urae.adapter.internal.merge.ChangedWeight;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.WeightConversion;
import java.io.IOException;
import java.util.Optional;

/**
 * A layer beside which the changes of adapters are computed, {@code W x + B (A x)}: nothing of them
 * is rounded to the few bits of W, whose bytes stay those of the checkpoint.
 *
 * @param layer computes with the weight as it is
 * @param rank rows of A
 */
record LowRankBranch(LinearLayer layer, int rank) implements LinearLayer {

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    return layer.takes(weight, role);
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    Shape shape = Shape.of(outputs, inputs);
    String product = layer.emit(g, weight, bias, x, inputs, outputs);
    String down =
        g.derived(
            weight + ".down",
            new GraphWeight(Shape.of(rank, inputs), g.type(), new Factor(weight, shape, true)));
    String up =
        g.derived(
            weight + ".up",
            new GraphWeight(Shape.of(outputs, rank), g.type(), new Factor(weight, shape, false)));
    return Gemm.of(g, Gemm.of(g, x, down, Optional.empty()), up, Optional.of(product));
  }

  /**
   * One of the two matrices.
   *
   * @param isDown whether it is A
   */
  private record Factor(String parameter, Shape parameterShape, boolean isDown)
      implements WeightForm {

    @Override
    public String description() {
      return isDown ? "A of what is added" : "B of what is added";
    }

    @Override
    public Origin origin() {
      return Origin.CHANGES;
    }

    @Override
    public TensorSource sourceOf(ChangedWeight changed) throws IOException {
      return isDown ? changed.down() : changed.up();
    }

    @Override
    public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
      WeightConversion.values(source, parameter, type, sink);
    }
  }
}
