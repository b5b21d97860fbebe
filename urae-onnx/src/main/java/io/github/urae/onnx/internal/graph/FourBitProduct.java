package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import io.github.urae.weights.internal.quantised.FourBitBlocks;
import io.github.urae.weights.internal.quantised.FourBitCode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * Products with weights that bitsandbytes quantised to four bits, NF4 or FP4, used where they lie
 * in the user's file: ONNX Runtime's {@code MatMulBnb4} takes the same bytes, with the largest
 * magnitudes of blocks as numbers.
 */
final class FourBitProduct implements LinearLayer {

  /** The operator takes blocks of powers of two from this to {@link #MOST_BLOCK}. */
  private static final int LEAST_BLOCK = 16;

  private static final int MOST_BLOCK = 256;

  /** Numbers of blocks that are made at once. */
  private static final int PIECE = 1 << 16;

  @Override
  public boolean takes(TensorInfo weight, LayerRole role) {
    return weight.shape().rank() == 2
        && weight.encoding() instanceof FourBitBlocks blocks
        && blocks.blockSize() % LEAST_BLOCK == 0;
  }

  @Override
  public String emit(
      GraphBuilder g, String weight, Optional<String> bias, String x, long inputs, long outputs) {
    FourBitBlocks encoding = (FourBitBlocks) g.stored(weight).encoding();
    Shape shape = Shape.of(outputs, inputs);
    Shape bytes = Shape.of(encoding.byteSize(shape));
    long blocks = blocks(shape, block(encoding));
    String product =
        g.microsoftNode(
            "MatMulBnb4",
            List.of(
                x,
                g.derived(
                    weight + ".pairs",
                    new GraphWeight(bytes, ElementType.U8, new Pairs(weight, shape))),
                g.derived(
                    weight + ".maxima",
                    new GraphWeight(Shape.of(blocks), g.type(), new Maxima(weight, shape)))),
            attribute("K", inputs),
            attribute("N", outputs),
            attribute("block_size", block(encoding)),
            attribute("quant_type", encoding.code() == FourBitCode.NF4 ? 1 : 0));
    return bias.isPresent() ? g.add(product, g.weight(bias.get(), outputs)) : product;
  }

  /** Returns the size of the operator's blocks, of which the file's consist. */
  private static long block(FourBitBlocks encoding) {
    return Math.min(MOST_BLOCK, Long.lowestOneBit(encoding.blockSize()));
  }

  private static long blocks(Shape shape, long blockSize) {
    return (shape.elementCount() - 1) / blockSize + 1;
  }

  /** The codes, two a byte, as they lie in the file. */
  private record Pairs(String parameter, Shape parameterShape) implements WeightForm {

    @Override
    public String description() {
      return "pairs of codes";
    }

    @Override
    public Optional<TensorInfo> place(TensorInfo stored, ElementType type) {
      // Behind them there may be bytes that fill up an element of another type.
      return Optional.of(
          StoredElements.plain(stored, type, Shape.of(stored.encoding().byteSize(parameterShape))));
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

  /** The largest magnitude of each block. */
  private record Maxima(String parameter, Shape parameterShape) implements WeightForm {

    @Override
    public String description() {
      return "largest of blocks";
    }

    @Override
    public Origin origin() {
      return Origin.CODES;
    }

    @Override
    public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
      FourBitBlocks encoding = (FourBitBlocks) source.tensors().get(parameter).encoding();
      long stored = blocks(parameterShape, encoding.blockSize());
      long blocks = blocks(parameterShape, block(encoding));
      long times = encoding.blockSize() / block(encoding);
      int atOnce = (int) Math.min(PIECE, stored);
      float[] maxima = new float[atOnce];
      ByteBuffer bytes =
          ByteBuffer.allocate(Math.toIntExact(type.byteSize(PIECE))).order(ByteOrder.LITTLE_ENDIAN);
      for (long first = 0; first < stored; first += atOnce) {
        int count = (int) Math.min(atOnce, stored - first);
        encoding.readMaxima(source.bytes(), first, maxima, count);
        for (int i = 0; i < count; i++) {
          long most = Math.min(times, blocks - (first + i) * times);
          for (long k = 0; k < most; k++) {
            Elements.fromFloats(type, maxima, i, 1, bytes);
            if (!bytes.hasRemaining()) {
              sink.accept(bytes.flip());
              bytes.clear();
            }
          }
        }
      }
      if (bytes.position() > 0) {
        sink.accept(bytes.flip());
      }
    }
  }
}
