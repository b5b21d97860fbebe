package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.util.List;
import java.util.Optional;

/**
 * Layers with weights that are rounded to blocks of 8 bits, and activations that are not rounded:
 * for text encoders, since T5's have outliers of a thousand times the rest, and for what adapters
 * make of quantised weights.
 */
final class RoundedWeight implements LinearLayer {

  private static final int BITS = 8;
  private static final int BLOCK = 32;

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    // What is quantised already is better computed with as it is.
    return role == LayerRole.ENCODER && weight.encoding().isPlain() && suits(weight);
  }

  /** Tells whether rows are whole blocks. */
  static boolean suits(TensorInfo weight) {
    return weight.columns() % BLOCK == 0;
  }

  @Override
  public LinearLayer ofOtherValues(TensorInfo weight, LayerRole role) {
    return this;
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    Shape shape = Shape.of(outputs, inputs);
    long blocks = shape.elementCount() / BLOCK;
    ElementType scaleType = DequantisedBlocks.scaleType(g);
    String codes =
        g.derived(
            weight + ".codes",
            new GraphWeight(
                Shape.of(blocks, BLOCK),
                ElementType.I8,
                new RoundedBlocks(weight, shape, RoundedBlocks.Part.SIGNED, BITS, BLOCK)));
    String scales =
        g.derived(
            weight + ".scales",
            new GraphWeight(
                Shape.of(blocks),
                scaleType,
                new RoundedBlocks(weight, shape, RoundedBlocks.Part.SCALES, BITS, BLOCK)));
    String values =
        g.node(
            "DequantizeLinear",
            List.of(codes, g.paced(scales, scaleType, x)),
            attribute("axis", 0));
    String matrix = g.cast(g.reshape(values, g.longs(outputs, inputs)), scaleType, g.type());
    return Gemm.of(g, x, matrix, bias.map(name -> g.weight(name, outputs)));
  }
}
