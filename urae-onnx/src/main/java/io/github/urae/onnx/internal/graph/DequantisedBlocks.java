package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.onnx.internal.graph.GraphWeight.Packing;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.internal.BlockEncoding;
import java.util.List;
import java.util.Optional;

/**
 * Products with weights in {@linkplain BlockEncoding blocks} of small integers: their values are
 * computed while the layer runs, exactly, and go with it; files hold integers, scales and offsets.
 *
 * <p>A row of integers for each group that shares a scale is what ONNX Runtime's {@code
 * DequantizeLinear} is fastest with: four times as fast as with blocks along rows, and as fast as
 * its {@code MatMulNBits} at any number of tokens unless that may keep a copy of the weights.
 *
 * <p>In float32, offsets are multiplied by the sums of the activations that they belong to, which
 * saves a pass over the weight: {@code sum_i x_i (s q_i + m) = sum_i x_i s q_i + m sum_i x_i}. In
 * fewer bits these sums would lose digits that the weight's values have, so offsets are added to
 * the products of scales there.
 */
final class DequantisedBlocks implements LinearLayer {

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    return StoredBlocks.are(weight);
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    BlockEncoding.Layout layout = ((BlockEncoding) g.stored(weight).encoding()).layout();
    Shape shape = Shape.of(outputs, inputs);
    Shape rows = Shape.of(shape.elementCount() / layout.groupElements(), layout.groupElements());
    ElementType scaleType = scaleType(g);
    Packing packing = BlockCodes.packing(layout);
    String codes =
        g.derived(
            weight + ".codes",
            new GraphWeight(
                rows,
                packing == Packing.NONE ? ElementType.I8 : ElementType.U8,
                packing,
                new BlockCodes(weight, shape, packing)));
    Numbers numbers = new Numbers(g, weight, shape, layout, x);
    String scales = numbers.scales(rows.dimension(0));
    if (!layout.hasNestedScales()) {
      scales = g.paced(scales, scaleType, x);
    }
    String values = g.node("DequantizeLinear", List.of(codes, scales), attribute("axis", 0));
    boolean bySums = layout.hasOffsets() && g.type() == ElementType.F32;
    if (layout.hasOffsets() && !bySums) {
      values = g.add(values, numbers.offsets(rows.dimension(0), 1));
    }
    String matrix = g.cast(g.reshape(values, g.longs(outputs, inputs)), scaleType, g.type());
    String product = Gemm.of(g, x, matrix, bias.map(name -> g.weight(name, outputs)));
    if (!bySums) {
      return product;
    }
    long groups = inputs / layout.groupElements();
    String grouped = g.reshape(x, g.longs(-1, groups, layout.groupElements()));
    String sums = g.node("ReduceSum", List.of(grouped, g.longs(2)), attribute("keepdims", 0));
    return Gemm.of(g, sums, numbers.offsets(outputs, groups), Optional.of(product));
  }

  /**
   * The scales and offsets of a weight in a graph: as they are, or where a block has several, as
   * integers of a byte.
   *
   * @param x the layer's activations
   */
  private record Numbers(
      GraphBuilder g, String weight, Shape shape, BlockEncoding.Layout layout, String x) {

    String scales(long... dimensions) {
      return layout.hasNestedScales()
          ? nested(
              ".scales", BlockNumbers.Kind.SCALE_CODES, BlockNumbers.Kind.SCALE_FACTORS, dimensions)
          : derived(".scales", Shape.of(dimensions), scaleType(g), BlockNumbers.Kind.SCALES);
    }

    String offsets(long... dimensions) {
      return layout.hasNestedScales()
          ? nested(
              ".offsets",
              BlockNumbers.Kind.OFFSET_CODES,
              BlockNumbers.Kind.OFFSET_FACTORS,
              dimensions)
          : derived(".offsets", Shape.of(dimensions), scaleType(g), BlockNumbers.Kind.OFFSETS);
    }

    private String nested(
        String ending, BlockNumbers.Kind codes, BlockNumbers.Kind factors, long... dimensions) {
      long blocks = shape.elementCount() / layout.blockElements();
      Shape groups = Shape.of(blocks, layout.blockElements() / layout.groupElements());
      String factor = derived(ending + ".factors", Shape.of(blocks), scaleType(g), factors);
      String numbers =
          g.node(
              "DequantizeLinear",
              List.of(
                  derived(ending + ".codes", groups, ElementType.I8, codes),
                  g.paced(factor, scaleType(g), x)),
              attribute("axis", 0));
      return g.reshape(numbers, g.longs(dimensions));
    }

    private String derived(
        String ending, Shape ofNumbers, ElementType type, BlockNumbers.Kind kind) {
      return g.derived(
          weight + ending, new GraphWeight(ofNumbers, type, new BlockNumbers(weight, shape, kind)));
    }
  }

  /** {@code DequantizeLinear} gives float32 or float16; GGUF's scales are of the latter. */
  static ElementType scaleType(GraphBuilder g) {
    return g.type() == ElementType.F32 ? ElementType.F32 : ElementType.F16;
  }
}
