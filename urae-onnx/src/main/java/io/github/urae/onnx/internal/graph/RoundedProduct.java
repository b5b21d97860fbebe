package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.util.List;
import java.util.Optional;

/**
 * Products with weights that are rounded to blocks of integers, by ONNX Runtime's {@code
 * MatMulNBits}. On the processor that rounds the activations to blocks of bytes as well, which
 * makes it twice as fast as float32, where it may keep a rearranged copy of the weights; otherwise
 * it computes in float32, more slowly.
 *
 * @param bits of a weight, 8 or 4
 * @param blockSize weights that share a scale, and activations that do
 */
record RoundedProduct(int bits, int blockSize) implements LinearLayer {

  /** In 8 bits. */
  static final RoundedProduct EIGHT_BITS = new RoundedProduct(8, 128);

  /** In 4 bits. */
  static final RoundedProduct FOUR_BITS = new RoundedProduct(4, 64);

  /** Activations in 8 bits. */
  private static final int ACCURACY_LEVEL = 4;

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    return role == LayerRole.BLOCK || role == LayerRole.MODULATION;
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    Shape shape = Shape.of(outputs, inputs);
    long blocks = RoundedBlocks.blocks(inputs, blockSize);
    String codes =
        g.derived(
            weight + ".codes",
            new GraphWeight(
                Shape.of(outputs, blocks, (long) blockSize * bits / Byte.SIZE),
                ElementType.U8,
                new RoundedBlocks(weight, shape, RoundedBlocks.Part.UNSIGNED, bits, blockSize)));
    String scales =
        g.derived(
            weight + ".scales",
            new GraphWeight(
                Shape.of(outputs, blocks),
                g.type(),
                new RoundedBlocks(weight, shape, RoundedBlocks.Part.SCALES, bits, blockSize)));
    List<String> inputsOfNode =
        bias.isPresent()
            ? List.of(x, codes, scales, "", "", g.weight(bias.get(), outputs))
            : List.of(x, codes, scales);
    return g.microsoftNode(
        "MatMulNBits",
        inputsOfNode,
        attribute("K", inputs),
        attribute("N", outputs),
        attribute("bits", bits),
        attribute("block_size", blockSize),
        attribute("accuracy_level", ACCURACY_LEVEL));
  }

  /** In 8 bits: of a small change, 4 would leave half. */
  @Override
  public LinearLayer ofOtherValues(TensorInfo weight, LayerRole role) {
    return EIGHT_BITS;
  }
}
