package io.github.urae.onnx.internal.graph;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.ByteSink;
import java.io.IOException;

/**
 * What the integers of a weight in {@linkplain io.github.urae.weights.internal.BlockEncoding
 * blocks} are multiplied by, or what is added to that, row-major.
 *
 * @param kind which of these
 */
record BlockNumbers(String parameter, Shape parameterShape, Kind kind) implements WeightForm {

  /** Which numbers, floating-point unless said otherwise. */
  enum Kind {
    /** For each group of values that share it. */
    SCALES,
    /** For each group of values that share it. */
    OFFSETS,
    /** For each group of a block, bytes, to be multiplied by the block's factor. */
    SCALE_CODES,
    /** For each block. */
    SCALE_FACTORS,
    /** For each group of a block, bytes, to be multiplied by the block's factor. */
    OFFSET_CODES,
    /** For each block. */
    OFFSET_FACTORS
  }

  @Override
  public String description() {
    return kind + " of blocks";
  }

  @Override
  public Origin origin() {
    return Origin.CODES;
  }

  @Override
  public void write(TensorSource source, ElementType type, ByteSink sink) throws IOException {
    StoredBlocks stored = StoredBlocks.of(source, parameter);
    int blockElements = stored.encoding().layout().blockElements();
    stored.write(
        1,
        (blocks, elements, groups, target) -> {
          int count = elements / blockElements;
          switch (kind) {
            case SCALES -> Elements.fromFloats(type, blocks.scales(), 0, groups, target);
            case OFFSETS -> Elements.fromFloats(type, blocks.offsets(), 0, groups, target);
            case SCALE_CODES -> target.put(blocks.scaleCodes(), 0, groups);
            case OFFSET_CODES -> target.put(blocks.offsetCodes(), 0, groups);
            case SCALE_FACTORS ->
                Elements.fromFloats(type, blocks.scaleFactors(), 0, count, target);
            case OFFSET_FACTORS ->
                Elements.fromFloats(type, blocks.offsetFactors(), 0, count, target);
          }
        },
        sink);
  }
}
