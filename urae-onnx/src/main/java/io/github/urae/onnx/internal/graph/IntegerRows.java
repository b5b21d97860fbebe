package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.tensor.ElementType;
import java.util.ArrayList;
import java.util.List;

/**
 * Activations as unsigned bytes with a scale for each row, in a graph: {@code x = scales * (codes -
 * 128)}.
 *
 * @param codes uint8 [N, C], from 1 to 255
 * @param scales float32 [N, 1]
 */
record IntegerRows(String codes, String scales) {

  private static final int ZERO = 128;

  /** Codes on either side of zero. */
  private static final int LEVELS = 127;

  /** A row of zeros has a scale, too. */
  private static final float LEAST = 1e-9f;

  /**
   * Rounds activations, once for all layers that read the same.
   *
   * @param g the graph, of float32
   * @param x [N, C]
   */
  static IntegerRows of(GraphBuilder g, String x) {
    List<String> both =
        g.once(
            "rows of bytes of " + x,
            () -> {
              String most = g.node("ReduceMax", List.of(x, g.longs(1)));
              String least = g.node("ReduceMin", List.of(x, g.longs(1)));
              String magnitude =
                  g.node(
                      "Max",
                      List.of(
                          most, g.node("Neg", List.of(least)), g.floats(ElementType.F32, LEAST)));
              String scales = g.multiply(magnitude, g.floats(ElementType.F32, 1f / LEVELS));
              return List.of(quantised(g, x, scales), scales);
            });
    return new IntegerRows(both.get(0), both.get(1));
  }

  /**
   * Rounds activations to the sum of two rows of bytes, in 15 bits altogether: the first half of
   * the result's rows and the second.
   *
   * @param g the graph, of float32
   * @param x [N, C]
   * @return [2 N, C]
   */
  static IntegerRows ofTwoParts(GraphBuilder g, String x) {
    List<String> both =
        g.once(
            "two rows of bytes of " + x,
            () -> {
              IntegerRows coarse = of(g, x);
              String rest = g.node("Sub", List.of(x, coarse.values(g)));
              // Rounding leaves half a step at most.
              String scales = g.multiply(coarse.scales, g.floats(ElementType.F32, 0.5f / LEVELS));
              return List.of(
                  g.concat(0, coarse.codes, quantised(g, rest, scales)),
                  g.concat(0, coarse.scales, scales));
            });
    return new IntegerRows(both.get(0), both.get(1));
  }

  private static String quantised(GraphBuilder g, String x, String scales) {
    return g.node(
        "QuantizeLinear",
        List.of(x, g.node("Squeeze", List.of(scales, g.longs(1))), zeros(g, x)),
        attribute("axis", 0));
  }

  private String values(GraphBuilder g) {
    return g.node(
        "DequantizeLinear",
        List.of(codes, g.node("Squeeze", List.of(scales, g.longs(1))), zeros(g, codes)),
        attribute("axis", 0));
  }

  /** The code of zero, for each row. */
  private static String zeros(GraphBuilder g, String x) {
    return g.node("Expand", List.of(zero(g), g.dimension(x, 0)));
  }

  private static String zero(GraphBuilder g) {
    return g.unsignedByte(ZERO);
  }

  /**
   * Multiplies by a weight.
   *
   * @param weight codes [C, outputs]
   * @param type I8, or U8 around 128
   * @param channelScales float32 [outputs]
   * @return float32 [N, outputs]
   */
  String product(GraphBuilder g, String weight, ElementType type, String channelScales) {
    List<String> inputs =
        new ArrayList<>(
            List.of(codes, weight, g.floats(ElementType.F32, 1), channelScales, zero(g)));
    if (type == ElementType.U8) {
      inputs.add(g.unsignedByte(ChannelCodes.UNSIGNED_ZERO));
    }
    String unscaled = g.microsoftNode("MatMulIntegerToFloat", inputs);
    return g.multiply(unscaled, scales);
  }
}
