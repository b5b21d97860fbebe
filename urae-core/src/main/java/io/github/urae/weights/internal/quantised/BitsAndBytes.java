package io.github.urae.weights.internal.quantised;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.internal.PrintableText;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Weights by bitsandbytes: of four bits in blocks, described in JSON beside them, and LLM.int8, of
 * eight bits with the largest magnitude of each row.
 *
 * @see <a href="https://github.com/bitsandbytes-foundation/bitsandbytes">bitsandbytes: {@code
 *     QuantState.from_dict} and {@code Linear8bitLt}</a>
 */
final class BitsAndBytes {

  private static final String STATE = ".quant_state.bitsandbytes__";
  private static final String WEIGHT = ".weight";
  private static final String ROW_MAXIMA = ".SCB";
  private static final String LAYOUT = ".weight_format";

  /** The reference multiplies by this rounded quotient, too. */
  private static final float OF_127 = 1f / 127;

  private static final int TABLE = 256;

  private final StoredTensors tensors;

  private BitsAndBytes(StoredTensors tensors) {
    this.tensors = tensors;
  }

  /**
   * Gives weights their shape and encoding, and takes away what belongs to them.
   *
   * @throws io.github.urae.ModelException if they are of a kind that is not supported
   * @throws io.github.urae.FileFormatException if their parts are missing or do not fit
   */
  static void recognise(StoredTensors tensors) throws IOException {
    BitsAndBytes found = new BitsAndBytes(tensors);
    for (String name : tensors.names()) {
      int state = name.lastIndexOf(STATE);
      if (state > 0) {
        found.fourBits(name, name.substring(0, state), name.substring(state + STATE.length()));
      } else if (name.endsWith(ROW_MAXIMA)) {
        found.eightBits(name.substring(0, name.length() - ROW_MAXIMA.length()));
      }
    }
  }

  private void fourBits(String stateName, String weightName, String kind) throws IOException {
    TensorInfo described = tensors.take(stateName).orElseThrow();
    TensorInfo weight =
        tensors
            .find(weightName)
            .orElseThrow(
                () ->
                    StoredTensors.damaged(
                        described,
                        "describes a weight that the file does not hold; it is incomplete:"
                            + " download it again"));
    JsonNode state = tensors.readJson(described);
    FourBitCode code = code(described, kind, state);
    Shape shape = shape(described, state);
    long blockSize = positive(described, state, "blocksize");
    long values = shape.elementCount();
    checkSize(weight, shape, values);
    long blocks = blocks(values, blockSize);
    Optional<TensorInfo> table = tensors.take(weightName + ".quant_map");
    if (table.isPresent()) {
      code.check(table.get(), tensors.readFloats(table.get(), 16));
    }
    TensorInfo stored = required(weight, ".absmax");
    Optional<BlockMaxima.Nested> nested =
        stored.type() == ElementType.U8
            ? Optional.of(nested(weight, described, state, blocks))
            : Optional.empty();
    checkCount(stored, blocks, "largest values of blocks of " + blockSize);
    if (nested.isEmpty()) {
      StoredTensors.checkNumbers(stored);
    }
    tensors.replace(
        weight, shape, new FourBitBlocks(code, blockSize, new BlockMaxima(stored, 0, nested)));
  }

  private static long blocks(long values, long blockSize) {
    return values / blockSize + (values % blockSize == 0 ? 0 : 1);
  }

  private static FourBitCode code(TensorInfo described, String kind, JsonNode state) {
    String type = state.path("quant_type").asText(kind);
    for (FourBitCode code : FourBitCode.values()) {
      if (code.name().toLowerCase(Locale.ROOT).equals(type) && type.equals(kind)) {
        return code;
      }
    }
    throw StoredTensors.damaged(
        described,
        "'quant_type': expected nf4 or fp4, as in the tensor's name, found "
            + PrintableText.quoted(type));
  }

  private static Shape shape(TensorInfo described, JsonNode state) {
    List<Long> dimensions = new ArrayList<>();
    JsonNode array = state.path("shape");
    boolean sound = array.isArray() && !array.isEmpty() && array.size() <= 8;
    for (int i = 0; sound && i < array.size(); i++) {
      sound = array.get(i).canConvertToLong() && array.get(i).isIntegralNumber();
      long dimension = sound ? array.get(i).longValue() : 0;
      sound &= dimension > 0;
      dimensions.add(dimension);
    }
    try {
      if (sound) {
        Shape shape = Shape.of(dimensions.stream().mapToLong(Long::longValue).toArray());
        if (shape.elementCount() > 0) {
          return shape;
        }
      }
    } catch (ArithmeticException e) {
      // More values than any file holds: refused below.
    }
    throw StoredTensors.damaged(
        described,
        "'shape': expected that of a weight, found " + PrintableText.shortened(array.toString()));
  }

  private static long positive(TensorInfo described, JsonNode state, String key) {
    JsonNode number = state.path(key);
    if (!number.isIntegralNumber() || !number.canConvertToLong() || number.longValue() < 1) {
      throw StoredTensors.damaged(
          described,
          "'"
              + key
              + "': expected a positive integer, found "
              + PrintableText.shortened(number.toString()));
    }
    return number.longValue();
  }

  /** Codes may be stored as elements of several bytes, of which the last is filled up. */
  private static void checkSize(TensorInfo weight, Shape shape, long values) {
    long expected = FourBitBlocks.bytesFor(values);
    long spare = weight.length() - expected;
    if (!weight.encoding().isPlain() || spare < 0 || spare >= weight.type().bits() / Byte.SIZE) {
      throw StoredTensors.damaged(
          weight,
          "expected "
              + expected
              + " bytes, for "
              + shape
              + " by its description, found "
              + weight.length()
              + " ("
              + StoredTensors.describe(weight)
              + "); the file is damaged: download it again");
    }
  }

  private BlockMaxima.Nested nested(
      TensorInfo weight, TensorInfo described, JsonNode state, long blocks) throws IOException {
    TensorInfo table = required(weight, ".nested_quant_map");
    checkCount(table, TABLE, "values of a byte");
    StoredTensors.checkNumbers(table);
    TensorInfo maxima = required(weight, ".nested_absmax");
    long blockSize = positive(described, state, "nested_blocksize");
    checkCount(maxima, blocks(blocks, blockSize), "largest values of blocks of " + blockSize);
    StoredTensors.checkNumbers(maxima);
    JsonNode offset = state.path("nested_offset");
    if (!offset.isNumber() || !Float.isFinite(offset.floatValue())) {
      throw StoredTensors.damaged(
          described,
          "'nested_offset': expected a number, found "
              + PrintableText.shortened(offset.toString()));
    }
    return new BlockMaxima.Nested(table, maxima, blockSize, offset.floatValue());
  }

  private TensorInfo required(TensorInfo weight, String ending) {
    return tensors
        .take(weight.name() + ending)
        .filter(info -> info.encoding().isPlain())
        .orElseThrow(
            () ->
                StoredTensors.damaged(
                    weight,
                    "expected a tensor "
                        + PrintableText.quoted(weight.name() + ending)
                        + ", without which it cannot be read, found none; the file is incomplete:"
                        + " download it again"));
  }

  private static void checkCount(TensorInfo info, long expected, String what) {
    if (info.shape().elementCount() != expected) {
      throw StoredTensors.damaged(
          info,
          "expected "
              + expected
              + " "
              + what
              + ", found "
              + StoredTensors.describe(info)
              + "; the file is damaged: download it again");
    }
  }

  private void eightBits(String layer) throws IOException {
    TensorInfo maxima = tensors.find(layer + ROW_MAXIMA).orElseThrow();
    Optional<TensorInfo> weight = tensors.find(layer + WEIGHT);
    if (weight.isEmpty()) {
      return; // Refused with whatever else is left over.
    }
    tensors.take(maxima.name());
    TensorInfo stored = weight.get();
    if (!stored.isPlain(ElementType.I8) || stored.shape().rank() != 2) {
      throw StoredTensors.damaged(
          stored,
          "expected I8 of rows and columns, as beside '"
              + maxima.name()
              + "', found "
              + StoredTensors.describe(stored));
    }
    checkLayout(stored, tensors.take(layer + LAYOUT));
    checkCount(maxima, stored.shape().dimension(0), "largest values of rows");
    StoredTensors.checkNumbers(maxima);
    Scales scales = Scales.ofRows(maxima, stored.columns(), OF_127);
    tensors.replace(stored, stored.shape(), new ScaledElements("INT8", ElementType.I8, scales));
  }

  private void checkLayout(TensorInfo weight, Optional<TensorInfo> layout) throws IOException {
    if (layout.isEmpty()) {
      return; // Row by row, as in files from before there were others.
    }
    TensorInfo info = layout.get();
    if (info.shape().elementCount() != 1 || !info.encoding().isPlain()) {
      throw StoredTensors.damaged(
          info, "expected one number, found " + StoredTensors.describe(info));
    }
    float format = tensors.readScalar(info);
    if (format != 0) {
      throw StoredTensors.unsupported(
          weight,
          "eight bits by bitsandbytes in tiles for old GPUs, weight_format " + (int) format);
    }
  }
}
