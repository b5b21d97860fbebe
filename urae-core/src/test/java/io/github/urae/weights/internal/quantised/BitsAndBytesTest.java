package io.github.urae.weights.internal.quantised;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.PlacedTensors;
import io.github.urae.weights.internal.SelectedRows;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights as bitsandbytes stores them, in every variety that it has, and broken ones. */
class BitsAndBytesTest {

  private static final String LAYER = "transformer_blocks.0.attn.to_q";
  private static final String WEIGHT = LAYER + ".weight";

  @TempDir Path folder;

  private final long seed = System.nanoTime();
  private final Random random = new Random(seed);
  private final Map<String, Tensor> tensors = new TreeMap<>();
  private final Map<String, Object> state = new LinkedHashMap<>();
  private byte[] packed;
  private float[] maxima;

  private void put(String name, ElementType type, byte[] bytes, long... shape) {
    tensors.put(name, Tensor.view(type, Shape.of(shape), ByteBuffer.wrap(bytes), name));
  }

  private void putState(FourBitCode code) {
    StringBuilder json = new StringBuilder("{");
    state.forEach(
        (key, value) ->
            json.append(json.length() > 1 ? ", " : "")
                .append("\"" + key + "\": ")
                .append(value instanceof String text ? "\"" + text + "\"" : value));
    putState(code, json + "}");
  }

  private void putState(FourBitCode code, String json) {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    put(stateName(code), ElementType.U8, bytes, bytes.length);
  }

  private static String stateName(FourBitCode code) {
    return WEIGHT + ".quant_state.bitsandbytes__" + name(code);
  }

  private static String name(FourBitCode code) {
    return code == FourBitCode.NF4 ? "nf4" : "fp4";
  }

  /** Random codes, of which the values are returned. */
  private float[] fourBits(FourBitCode code, int rows, int columns, int blockSize) {
    System.out.println("seed " + seed);
    int values = rows * columns;
    packed = new byte[(values + 1) / 2];
    random.nextBytes(packed);
    maxima = new float[(values + blockSize - 1) / blockSize];
    for (int i = 0; i < maxima.length; i++) {
      maxima[i] = random.nextInt(1000) / 64f;
    }
    put(WEIGHT, ElementType.U8, packed, packed.length, 1);
    tensors.put(WEIGHT + ".absmax", Tensor.ofFloats(maxima, maxima.length));
    float[] map = new float[16];
    for (int i = 0; i < map.length; i++) {
      map[i] = code.value(i);
    }
    tensors.put(WEIGHT + ".quant_map", Tensor.ofFloats(map, map.length));
    state.put("quant_type", name(code));
    state.put("blocksize", blockSize);
    state.put("dtype", "bfloat16");
    state.put("shape", List.of(rows, columns));
    putState(code);
    return values(code, values, blockSize);
  }

  private float[] values(FourBitCode code, int count, int blockSize) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      int pair = packed[i / 2] & 0xFF;
      values[i] = code.value(i % 2 == 0 ? pair >> 4 : pair & 15) * maxima[i / blockSize];
    }
    return values;
  }

  /** Maxima as bytes, in blocks of their own. */
  private float[] nested(FourBitCode code, float[] values, int blockSize, int nestedSize) {
    float[] table = new float[256];
    for (int i = 0; i < table.length; i++) {
      table[i] = (i - 128) / 64f;
    }
    byte[] codes = new byte[maxima.length];
    random.nextBytes(codes);
    float[] outer = new float[(codes.length + nestedSize - 1) / nestedSize];
    for (int i = 0; i < outer.length; i++) {
      outer[i] = 1 + random.nextInt(100) / 16f;
    }
    for (int i = 0; i < maxima.length; i++) {
      maxima[i] = table[codes[i] & 0xFF] * outer[i / nestedSize] + 0.125f;
    }
    put(WEIGHT + ".absmax", ElementType.U8, codes, codes.length);
    tensors.put(WEIGHT + ".nested_absmax", Tensor.ofFloats(outer, outer.length));
    tensors.put(WEIGHT + ".nested_quant_map", Tensor.ofFloats(table, table.length));
    state.put("nested_blocksize", nestedSize);
    state.put("nested_dtype", "float32");
    state.put("nested_offset", 0.125);
    putState(code);
    return values(code, values.length, blockSize);
  }

  private PlacedTensors open() throws IOException {
    Path file = folder.resolve("flux.safetensors");
    Files.deleteIfExists(file);
    SafetensorsWriter.write(file, Map.of(), tensors);
    try (TensorSource stored = Safetensors.open(file)) {
      return PlacedTensors.open(RecognisedEncodings.of(stored).values());
    }
  }

  /** Every part is that part of the values, also of rows that are a tensor of their own. */
  private void assertReads(float[] expected, int rows) throws IOException {
    int columns = expected.length / rows;
    try (PlacedTensors open = open()) {
      assertThat(open.tensors()).containsOnlyKeys(WEIGHT);
      TensorInfo weight = open.find(WEIGHT).orElseThrow();
      assertThat(weight.shape()).isEqualTo(Shape.of(rows, columns));
      for (int round = 0; round < 200; round++) {
        int row = random.nextInt(rows);
        int count = 1 + random.nextInt(rows - row);
        TensorInfo view = SelectedRows.of(weight, "rows", new SelectedRows.Range(row, count));
        float[] own = Arrays.copyOfRange(expected, row * columns, (row + count) * columns);
        try (PlacedTensors rowsOnly = PlacedTensors.open(List.of(view))) {
          int first = random.nextInt(own.length);
          float[] part = new float[random.nextInt(own.length - first) + 1];
          rowsOnly.readFloats("rows", first, part, 0, part.length);
          assertThat(part)
              .as("rows %d to %d from %d", row, row + count, first)
              .isEqualTo(Arrays.copyOfRange(own, first, first + part.length));
        }
      }
      float[] all = new float[expected.length];
      open.readFloats(WEIGHT, 0, all, 0, all.length);
      assertThat(all).isEqualTo(expected);
    }
  }

  /**
   * Rows of whole blocks, of parts of blocks, an odd number of values, and blocks of other sizes.
   */
  @ParameterizedTest
  @CsvSource({
    "NF4, 6, 128, 64", "FP4, 6, 128, 64", "NF4, 5, 96, 64", "NF4, 7, 9, 64", "FP4, 3, 7, 4",
    "NF4, 4, 128, 128", "NF4, 3, 40, 4096", "NF4, 9, 5, 3", "FP4, 1, 1, 64", "NF4, 300, 256, 32"
  })
  void fourBitsOfAllSizes(FourBitCode code, int rows, int columns, int blockSize)
      throws IOException {
    float[] values = fourBits(code, rows, columns, blockSize);
    assertReads(values, rows);
    assertReads(nested(code, values, blockSize, 256), rows);
    assertReads(nested(code, values, blockSize, 3), rows);
    tensors.remove(WEIGHT + ".quant_map");
    assertReads(values(code, values.length, blockSize), rows);
  }

  /** {@code bnb_4bit_quant_storage}. */
  @ParameterizedTest
  @EnumSource(names = {"BF16", "F16", "F32", "F64", "I8"})
  void fourBitsStoredAsOtherElements(ElementType type) throws IOException {
    float[] values = fourBits(FourBitCode.NF4, 8, 64, 64);
    int size = type.bits() / 8;
    put(WEIGHT, type, packed, packed.length / size, 1);
    assertReads(values, 8);
    // The last element is filled up.
    float[] odd = fourBits(FourBitCode.NF4, 3, 7, 64);
    int whole = (packed.length + size - 1) / size * size;
    put(WEIGHT, type, Arrays.copyOf(packed, whole), whole / size, 1);
    assertReads(odd, 3);
  }

  @Test
  void rowsOfWholeBlocksRunAsStored() throws IOException {
    fourBits(FourBitCode.NF4, 6, 128, 64);
    nested(FourBitCode.NF4, new float[6 * 128], 64, 5);
    try (PlacedTensors open = open()) {
      TensorInfo weight = open.find(WEIGHT).orElseThrow();
      TensorInfo rows = SelectedRows.of(weight, "rows", new SelectedRows.Range(2, 2));
      assertThat(rows.offset()).isEqualTo(weight.offset() + 128);
      assertThat(rows.length()).isEqualTo(128);
      FourBitBlocks blocks = (FourBitBlocks) rows.encoding();
      assertThat(blocks.code()).isEqualTo(FourBitCode.NF4);
      float[] read = new float[4];
      blocks.readMaxima(open.bytes(), 0, read, 4);
      assertThat(read).isEqualTo(Arrays.copyOfRange(maxima, 4, 8));
      float[] last = new float[1];
      blocks.readMaxima(open.bytes(), 3, last, 1);
      assertThat(last).containsExactly(maxima[7]);
    }
    // Blocks that cross rows: the rows are read, but are no tensor of their own.
    tensors.clear();
    fourBits(FourBitCode.NF4, 4, 96, 64);
    try (PlacedTensors open = open()) {
      TensorInfo weight = open.find(WEIGHT).orElseThrow();
      assertThat(SelectedRows.of(weight, "rows", new SelectedRows.Range(1, 1)).encoding())
          .isInstanceOf(SelectedRows.class);
      assertThat(SelectedRows.of(weight, "rows", new SelectedRows.Range(2, 1)).encoding())
          .isInstanceOf(FourBitBlocks.class);
    }
  }

  private void assertRefused(Class<? extends UraeException> kind, String... parts)
      throws IOException {
    assertThatThrownBy(() -> open().close())
        .isInstanceOf(kind)
        .hasMessageContaining("flux.safetensors")
        .hasMessageContainingAll(parts);
  }

  private void assertBroken(String... parts) throws IOException {
    assertRefused(FileFormatException.class, parts);
  }

  private void assertBrokenState(UnaryOperator<String> change, String... parts) throws IOException {
    fourBits(FourBitCode.NF4, 6, 128, 64);
    nested(FourBitCode.NF4, new float[6 * 128], 64, 256);
    Tensor sound = tensors.get(stateName(FourBitCode.NF4));
    byte[] bytes = new byte[(int) sound.byteSize()];
    sound.data().get(bytes);
    putState(FourBitCode.NF4, change.apply(new String(bytes, StandardCharsets.UTF_8)));
    assertBroken(parts);
  }

  @Test
  void brokenDescriptions() throws IOException {
    String name = stateName(FourBitCode.NF4);
    assertBrokenState(json -> json.substring(1), name, "JSON");
    assertBrokenState(json -> json + "x", name, "JSON");
    assertBrokenState(json -> "7", name, "JSON object");
    assertBrokenState(json -> json.replace("nf4", "fp4"), name, "quant_type", "'fp4'");
    assertBrokenState(json -> json.replace("nf4", "nf5"), name, "quant_type", "'nf5'");
    for (String wrong : List.of("0", "-64", "1.5", "\"64\"", "null", "9223372036854775808")) {
      assertBrokenState(json -> json.replace(": 64", ": " + wrong), name, "'blocksize'", "found");
      assertBrokenState(json -> json.replace(": 256", ": " + wrong), name, "'nested_blocksize'");
      assertBrokenState(json -> json.replace("[6, 128]", "[" + wrong + ", 128]"), "flux");
    }
    for (String wrong :
        List.of("[]", "7", "[2147483648, 8589934592]", "[6, 128, 0]", "[1,1,1,1,1,1,1,6,128]")) {
      assertBrokenState(json -> json.replace("[6, 128]", wrong), name, "'shape'");
    }
    assertBrokenState(json -> json.replace("[6, 128]", "[12, 128]"), WEIGHT, "768 bytes", "384");
    assertBrokenState(json -> json.replace("[6, 128]", "[6, 127]"), WEIGHT, "381 bytes");
    for (String wrong : List.of("null", "\"x\"", "1e60")) {
      assertBrokenState(json -> json.replace("0.125", wrong), name, "'nested_offset'");
    }
  }

  @Test
  void missingAndMisfittingParts() throws IOException {
    for (String part : List.of(".absmax", ".nested_absmax", ".nested_quant_map")) {
      fourBits(FourBitCode.NF4, 6, 128, 64);
      nested(FourBitCode.NF4, new float[6 * 128], 64, 256);
      Tensor sound = tensors.remove(WEIGHT + part);
      assertBroken(WEIGHT, "'" + WEIGHT + part + "'", "incomplete");
      long count = sound.shape().elementCount();
      put(WEIGHT + part, sound.type(), new byte[(int) (2 * sound.byteSize())], 2 * count);
      assertBroken("'" + WEIGHT + part + "'", "expected " + count, "[" + 2 * count + "]");
      put(WEIGHT + part, ElementType.I64, new byte[(int) (8 * count)], count);
      assertBroken("'" + WEIGHT + part + "'", "I64");
      tensors.clear();
    }
    fourBits(FourBitCode.NF4, 6, 128, 64);
    tensors.put(WEIGHT + ".quant_map", Tensor.ofFloats(new float[16], 16));
    assertBroken(WEIGHT + ".quant_map", "NF4", "others");
    tensors.put(WEIGHT + ".quant_map", Tensor.ofFloats(new float[15], 15));
    assertBroken(WEIGHT + ".quant_map", "16 numbers");
    fourBits(FourBitCode.NF4, 6, 128, 64);
    Tensor weight = tensors.remove(WEIGHT);
    assertBroken(stateName(FourBitCode.NF4), "does not hold");
    tensors.put(WEIGHT, weight);
    tensors.remove(stateName(FourBitCode.NF4));
    assertRefused(ModelException.class, "by bitsandbytes", "missing");
    tensors.keySet().removeIf(name -> !name.equals(WEIGHT));
    assertBroken(WEIGHT, "U8[384, 1]", "quant_state");
  }

  @Test
  void maximaThatAreNoNumbers() throws IOException {
    fourBits(FourBitCode.NF4, 6, 128, 64);
    maxima[5] = Float.NaN;
    tensors.put(WEIGHT + ".absmax", Tensor.ofFloats(maxima, maxima.length));
    try (PlacedTensors open = open()) {
      open.readFloats(WEIGHT, 0, new float[320], 0, 320);
      assertThatThrownBy(() -> open.readFloats(WEIGHT, 320, new float[1], 0, 1))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll(WEIGHT + ".absmax", "scale 5", "NaN");
    }
  }

  private float[] eightBits(int rows, int columns) {
    System.out.println("seed " + seed);
    byte[] codes = new byte[rows * columns];
    random.nextBytes(codes);
    float[] largest = new float[rows];
    float[] values = new float[codes.length];
    for (int i = 0; i < rows; i++) {
      largest[i] = random.nextInt(1000) / 64f;
    }
    for (int i = 0; i < codes.length; i++) {
      values[i] = codes[i] * (largest[i / columns] * (1f / 127));
    }
    put(WEIGHT, ElementType.I8, codes, rows, columns);
    tensors.put(LAYER + ".SCB", Tensor.ofFloats(largest, rows));
    put(LAYER + ".weight_format", ElementType.U8, new byte[1]);
    return values;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7, 100})
  void eightBitsByRow(int columns) throws IOException {
    float[] values = eightBits(6, columns);
    assertReads(values, 6);
    tensors.remove(LAYER + ".weight_format");
    assertReads(values, 6);
    try (PlacedTensors open = open()) {
      TensorInfo weight = open.find(WEIGHT).orElseThrow();
      assertThat(weight.encoding().name()).isEqualTo("INT8");
      TensorInfo rows = SelectedRows.of(weight, "rows", new SelectedRows.Range(2, 3));
      assertThat(((ScaledElements) rows.encoding()).scales().areOfRows()).isTrue();
    }
  }

  @Test
  void brokenEightBits() throws IOException {
    eightBits(6, 8);
    for (int format = 1; format <= 3; format++) {
      put(LAYER + ".weight_format", ElementType.U8, new byte[] {(byte) format});
      assertRefused(ModelException.class, WEIGHT, "tiles", "weight_format " + format);
    }
    put(LAYER + ".weight_format", ElementType.U8, new byte[2], 2);
    assertBroken(LAYER + ".weight_format", "one number");
    eightBits(6, 8);
    tensors.put(LAYER + ".SCB", Tensor.ofFloats(new float[5], 5));
    assertBroken(LAYER + ".SCB", "expected 6", "F32[5]");
    put(LAYER + ".SCB", ElementType.I32, new byte[24], 6);
    assertBroken(LAYER + ".SCB", "I32[6]");
    tensors.remove(LAYER + ".SCB");
    assertBroken(WEIGHT, "I8[6, 8]", "without a scale");
    eightBits(6, 8);
    put(WEIGHT, ElementType.U8, new byte[48], 6, 8);
    assertBroken(WEIGHT, "expected I8", "U8[6, 8]");
    tensors.remove(WEIGHT);
    assertRefused(ModelException.class, LAYER + ".SCB", "missing");
  }
}
