package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.util.List;
import java.util.Optional;

/**
 * Matrix products of bytes: weights with a scale for each output channel, activations with one for
 * each row, which no outlier of another token can spoil. ONNX Runtime multiplies unsigned
 * activations by signed weights fastest on x64, and by weights of [inputs, outputs] only.
 *
 * @param type of the weights' codes: I8, or U8 around 128
 * @param twoParts whether activations are rounded to 15 bits, for twice the work: then the rounding
 *     of the weights is all that there is
 * @param memory for the conversion of one weight after the other
 */
record IntegerProduct(ElementType type, boolean twoParts, SpareBytes memory)
    implements LinearLayer {

  /** Products of so many inputs fit the 32 bits that they are summed in. */
  private static final long MAX_INPUTS = 1 << 16;

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    boolean asked =
        switch (role) {
          case BLOCK -> !twoParts;
          case MODULATION, ENCODER -> twoParts;
          case EDGE -> false;
        };
    return asked && weight.columns() <= MAX_INPUTS;
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    Shape stored = Shape.of(outputs, inputs);
    String codes =
        g.derived(
            weight + ".int8",
            new GraphWeight(
                Shape.of(inputs, outputs), type, new ChannelCodes(weight, stored, memory)));
    String scales =
        g.derived(
            weight + ".scale",
            new GraphWeight(Shape.of(outputs), ElementType.F32, new ChannelScales(weight, stored)));
    String product;
    if (twoParts) {
      String both = IntegerRows.ofTwoParts(g, x).product(g, codes, type, scales);
      List<String> parts = g.split(both, 0, 2);
      product = g.add(parts.get(0), parts.get(1));
    } else {
      product = IntegerRows.of(g, x).product(g, codes, type, scales);
    }
    return bias.isPresent() ? g.add(product, g.weight(bias.get(), outputs)) : product;
  }

  @Override
  public LinearLayer ofOtherValues(TensorInfo weight, LayerRole role) {
    return this;
  }
}
