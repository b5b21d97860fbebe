package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.internal.quantised.ScaledElements;
import io.github.urae.weights.internal.quantised.Scales;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Products with weights of float8 or int8 elements, used where they lie in the user's file: their
 * values are computed while the layer runs, and go with it.
 *
 * <p>This is {@code DequantizeLinear}'s work: a {@code Cast} and a product, which say the same,
 * ONNX Runtime computes when a session starts, and keeps in float32.
 */
final class DequantisedElements implements LinearLayer {

  private static final Set<ElementType> TYPES =
      Set.of(ElementType.F8_E4M3, ElementType.F8_E5M2, ElementType.I8);

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    return weight.shape().rank() == 2
        && weight.encoding() instanceof ScaledElements scaled
        && TYPES.contains(scaled.elements());
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    ScaledElements encoding = (ScaledElements) g.stored(weight).encoding();
    Scales scales = encoding.scales();
    Shape shape = Shape.of(outputs, inputs);
    // A row for each scale, which is what the operator is fastest with.
    Shape rows = Shape.of(outputs * scales.gridColumns(), inputs / scales.gridColumns());
    ElementType scaleType = DequantisedBlocks.scaleType(g);
    String elements =
        g.derived(
            weight + ".elements",
            new GraphWeight(rows, encoding.elements(), new ElementCodes(weight, shape)));
    String values;
    if (scales.tensor().isEmpty()) {
      String factor = g.floats(scaleType, scales.factor());
      values = g.node("DequantizeLinear", List.of(elements, g.paced(factor, scaleType, x)));
    } else {
      GraphWeight numbers =
          new GraphWeight(Shape.of(rows.dimension(0)), scaleType, new ElementScales(weight, shape));
      String factors = g.derived(weight + ".scales", numbers);
      values =
          g.node(
              "DequantizeLinear",
              List.of(elements, g.paced(factors, scaleType, x)),
              attribute("axis", 0));
    }
    if (!rows.equals(shape)) {
      values = g.reshape(values, g.longs(outputs, inputs));
    }
    String matrix = g.cast(values, scaleType, g.type());
    return Gemm.of(g, x, matrix, bias.map(name -> g.weight(name, outputs)));
  }
}
