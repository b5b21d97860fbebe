package io.github.urae.weights.internal.quantised;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Float8 weights: alone, or with a scale under one of two spellings, which is one number, one for
 * each row, or one for each rectangle of a grid.
 *
 * @see <a href="https://github.com/comfyanonymous/ComfyUI">ComfyUI: {@code convert_old_quants} and
 *     {@code quant_ops.py}</a>
 * @see <a href="https://github.com/kohya-ss/musubi-tuner">musubi-tuner: {@code
 *     fp8_optimization_utils.py}, scales of rows and blocks</a>
 */
final class ScaledFloat8 {

  private static final String WEIGHT = ".weight";

  /** What a weight is multiplied by, in the old and the new spelling. */
  private static final List<String> SCALES = List.of(".scale_weight", ".weight_scale");

  /** A further factor of the whole weight, beside scales of blocks. */
  private static final String SECOND_SCALE = ".scale_weight_tensor";

  /** Scales of activations, which are not quantised here. */
  private static final List<String> OF_INPUTS = List.of(".scale_input", ".input_scale");

  /** Says that a file is of the old spelling; its size tells a GPU how to multiply. */
  private static final String MARKER = "scaled_fp8";

  private static final Set<ElementType> SCALE_TYPES =
      Set.of(ElementType.F32, ElementType.BF16, ElementType.F16, ElementType.F64);

  private final StoredTensors tensors;
  private final ComfyFormats formats;

  private ScaledFloat8(StoredTensors tensors, ComfyFormats formats) {
    this.tensors = tensors;
    this.formats = formats;
  }

  /**
   * Gives float8 weights their encoding, and takes their scales away.
   *
   * @throws io.github.urae.ModelException if they are of a kind that is not supported
   * @throws io.github.urae.FileFormatException if scales do not fit, or are no numbers
   */
  static void recognise(StoredTensors tensors) throws IOException {
    new ScaledFloat8(tensors, ComfyFormats.take(tensors)).recognise();
  }

  private void recognise() throws IOException {
    for (String name : tensors.names()) {
      if (name.equals(MARKER) || name.endsWith("." + MARKER)) {
        tensors.take(name);
      } else if (name.endsWith(WEIGHT)) {
        Optional<TensorInfo> weight = tensors.find(name).filter(w -> w.encoding().isPlain());
        if (weight.isPresent()) {
          recognise(weight.get(), name.substring(0, name.length() - WEIGHT.length()));
        }
      }
    }
    for (TensorInfo info : List.copyOf(tensors.all().values())) {
      refuseOrphan(info);
      if (info.isPlain(ElementType.F8_E4M3) || info.isPlain(ElementType.F8_E5M2)) {
        tensors.replace(info, info.shape(), ScaledElements.unscaled(info.type()));
      }
    }
  }

  private void recognise(TensorInfo weight, String layer) throws IOException {
    OF_INPUTS.forEach(ending -> tensors.take(layer + ending));
    List<TensorInfo> scales = new ArrayList<>();
    SCALES.forEach(ending -> tensors.take(layer + ending).ifPresent(scales::add));
    Optional<TensorInfo> second = tensors.take(layer + SECOND_SCALE);
    // Some programs write the bytes of float8 as those of integers.
    Optional<ElementType> announced =
        weight.type().bits() == Byte.SIZE ? formats.elements(layer) : Optional.empty();
    ElementType type =
        weight.type().isFloatingPoint() ? weight.type() : announced.orElse(weight.type());
    if (scales.isEmpty()) {
      second.ifPresent(ScaledFloat8::refuseOrphan);
      if (type != weight.type()) {
        tensors.replace(weight, weight.shape(), ScaledElements.unscaled(type));
      }
      return;
    }
    TensorInfo scale = scales.get(0);
    if (scales.size() > 1) {
      throw StoredTensors.damaged(
          weight,
          "expected one scale, found two, '"
              + scale.name()
              + "' and '"
              + scales.get(1).name()
              + "'; the file is of no known kind: use another one of the model");
    }
    if (!type.isFloatingPoint() || !SCALE_TYPES.contains(scale.type())) {
      throw StoredTensors.unsupported(
          weight,
          StoredTensors.describe(weight)
              + " with scales "
              + StoredTensors.describe(scale)
              + ", as INT8, NVFP4 or MXFP8");
    }
    float factor = second.isPresent() ? readOne(weight, second.get()) : 1;
    String name = type.name() + " scaled";
    tensors.replace(
        weight, weight.shape(), new ScaledElements(name, type, scales(weight, scale, factor)));
  }

  private Scales scales(TensorInfo weight, TensorInfo scale, float factor) throws IOException {
    long count = scale.shape().elementCount();
    if (count == 1) {
      return Scales.of(readOne(weight, scale) * factor);
    }
    Shape shape = weight.shape();
    long rows = shape.rank() == 0 ? 1 : shape.dimension(0);
    long columns = rows == 0 ? 0 : shape.elementCount() / rows;
    long[] grid = scale.shape().toArray();
    int rank = grid.length;
    while (rank > 2 && grid[rank - 1] == 1) {
      rank--;
    }
    if (rank == 1 && count == rows) {
      return Scales.ofRows(scale, columns, factor);
    }
    boolean divides =
        rank == 2 && count > 0 && rows % grid[0] == 0 && columns > 0 && columns % grid[1] == 0;
    if (!divides) {
      throw StoredTensors.damaged(
          scale,
          "expected one scale, "
              + rows
              + " (one for each row), or those of a grid that divides the weight's "
              + shape
              + ", found "
              + scale.shape()
              + "; use another file of the model");
    }
    return new Scales(factor, Optional.of(scale), rows / grid[0], columns / grid[1], grid[1]);
  }

  private float readOne(TensorInfo weight, TensorInfo scale) throws IOException {
    if (scale.shape().elementCount() != 1 || !SCALE_TYPES.contains(scale.type())) {
      throw StoredTensors.damaged(
          scale,
          "expected one number, which all of '"
              + weight.name()
              + "' is multiplied by, found "
              + StoredTensors.describe(scale));
    }
    return Scales.checked(scale, 0, tensors.readScalar(scale));
  }

  /** Without its scale a weight would be read as another one. */
  private static void refuseOrphan(TensorInfo info) {
    boolean scale =
        info.name().endsWith(SECOND_SCALE) || SCALES.stream().anyMatch(info.name()::endsWith);
    if (scale) {
      throw StoredTensors.damaged(
          info,
          "these are separate scales of a weight that the file does not hold; it is incomplete, or"
              + " of a kind that is not known: use another file of the model");
    }
  }
}
