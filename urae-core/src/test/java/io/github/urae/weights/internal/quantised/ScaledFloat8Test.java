package io.github.urae.weights.internal.quantised;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Float8 weights with and without scales, of every shape that programs write. */
class ScaledFloat8Test {

  private static final int ROWS = 6;
  private static final int COLUMNS = 8;
  private static final String LAYER = "double_blocks.0.img_attn.proj";

  @TempDir Path folder;

  private final Map<String, Tensor> tensors = new TreeMap<>();
  private final Map<String, String> metadata = new TreeMap<>();
  private final byte[] codes = new byte[ROWS * COLUMNS];
  private final float[] plain = new float[codes.length];

  @BeforeEach
  void fill() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int i = 0; i < codes.length; i++) {
      codes[i] = (byte) (random.nextInt(0x7F) | (random.nextBoolean() ? 0x80 : 0));
    }
    Elements.toFloats(ElementType.F8_E4M3, ByteBuffer.wrap(codes), plain, 0, plain.length);
    put(LAYER + ".weight", ElementType.F8_E4M3, codes, ROWS, COLUMNS);
  }

  private void put(String name, ElementType type, byte[] bytes, long... shape) {
    tensors.put(name, Tensor.view(type, Shape.of(shape), ByteBuffer.wrap(bytes), name));
  }

  private void scale(String ending, float value) {
    tensors.put(LAYER + ending, Tensor.ofFloats(new float[] {value}));
  }

  private Path write() throws IOException {
    Path file = folder.resolve("flux.safetensors");
    Files.deleteIfExists(file);
    SafetensorsWriter.write(file, metadata, tensors);
    return file;
  }

  private PlacedTensors open() throws IOException {
    try (TensorSource stored = Safetensors.open(write())) {
      return PlacedTensors.open(RecognisedEncodings.of(stored).values());
    }
  }

  /** Every part of the tensor is that part of the expected values, and so are its rows. */
  private void assertReads(float[] expected) throws IOException {
    try (PlacedTensors open = open()) {
      assertThat(open.tensors()).containsOnlyKeys(LAYER + ".weight");
      TensorInfo weight = open.find(LAYER + ".weight").orElseThrow();
      assertThat(weight.shape()).isEqualTo(Shape.of(ROWS, COLUMNS));
      List<TensorInfo> views = new ArrayList<>(List.of(weight));
      for (int first = 0; first < ROWS; first++) {
        for (int count = 1; first + count <= ROWS; count++) {
          views.add(
              SelectedRows.of(weight, first + " " + count, new SelectedRows.Range(first, count)));
        }
      }
      try (PlacedTensors rows = PlacedTensors.open(views)) {
        assertParts(rows, LAYER + ".weight", expected);
        for (TensorInfo view : views.subList(1, views.size())) {
          int first = Character.digit(view.name().charAt(0), 10);
          int count = (int) view.shape().dimension(0);
          assertParts(
              rows,
              view.name(),
              Arrays.copyOfRange(expected, first * COLUMNS, (first + count) * COLUMNS));
        }
      }
    }
  }

  private static void assertParts(TensorSource open, String name, float[] expected)
      throws IOException {
    for (int first = 0; first < expected.length; first++) {
      for (int count = 0; first + count <= expected.length; count += 5) {
        float[] part = new float[count];
        open.readFloats(name, first, part, 0, count);
        assertThat(part)
            .as("%s from %d, %d values", name, first, count)
            .isEqualTo(Arrays.copyOfRange(expected, first, first + count));
      }
    }
  }

  private float[] times(float factor) {
    float[] values = plain.clone();
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  @Test
  void alone() throws IOException {
    assertReads(plain);
    try (PlacedTensors open = open()) {
      assertThat(open.find(LAYER + ".weight").orElseThrow().encoding().name()).isEqualTo("F8_E4M3");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {".scale_weight", ".weight_scale"})
  void oneScaleInBothSpellings(String ending) throws IOException {
    scale(ending, 0.3f);
    // Of the activations: it must not touch the weight.
    scale(".scale_input", 17);
    scale(".input_scale", 18);
    assertReads(times(0.3f));
    tensors.put(LAYER + ending, Tensor.ofFloats(new float[] {0.3f}, 1, 1));
    assertReads(times(0.3f));
    put("scaled_fp8", ElementType.F8_E4M3, new byte[2], 2);
    put("model.diffusion_model.scaled_fp8", ElementType.F8_E4M3, new byte[0], 0);
    assertReads(times(0.3f));
  }

  @Test
  void markedWithoutAScale() throws IOException {
    put("scaled_fp8", ElementType.F8_E4M3, new byte[0], 0);
    scale(".scale_input", 17);
    assertReads(plain);
  }

  @ParameterizedTest
  @ValueSource(strings = {"BF16", "F16", "F64"})
  void scalesInOtherTypes(String type) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8);
    Elements.fromFloats(ElementType.valueOf(type), new float[] {0.375f}, 0, 1, bytes);
    put(
        LAYER + ".weight_scale",
        ElementType.valueOf(type),
        Arrays.copyOf(bytes.array(), bytes.position()));
    assertReads(times(0.375f));
  }

  /** Rectangles of a grid, whose shape tells their size. */
  @ParameterizedTest
  @CsvSource({
    "6, 1, ''",
    "6, 1, 1",
    "6, 4, ''",
    "6, 4, 1",
    "6, 8, ''",
    "3, 2, ''",
    "2, 1, ''",
    "1, 8, ''",
    "1, 2, 1",
    "3, 8, 1"
  })
  void scalesOfAGrid(int gridRows, int gridColumns, String trailing) throws IOException {
    long[] shape =
        trailing.isEmpty()
            ? new long[] {gridRows, gridColumns}
            : new long[] {gridRows, gridColumns, 1};
    assertGrid(gridRows, gridColumns, shape);
  }

  @Test
  void scalesOfRowsWithoutAColumn() throws IOException {
    assertGrid(ROWS, 1, ROWS);
  }

  private void assertGrid(int gridRows, int gridColumns, long... shape) throws IOException {
    float[] scales = new float[gridRows * gridColumns];
    for (int i = 0; i < scales.length; i++) {
      scales[i] = 0.3f + 0.1f * i;
    }
    tensors.put(LAYER + ".scale_weight", Tensor.ofFloats(scales, shape));
    float[] expected = plain.clone();
    for (int i = 0; i < expected.length; i++) {
      int row = i / COLUMNS / (ROWS / gridRows);
      int column = i % COLUMNS / (COLUMNS / gridColumns);
      expected[i] *= scales[row * gridColumns + column];
    }
    assertReads(expected);
    // A factor of the whole beside those of blocks.
    scale(".scale_weight_tensor", 0.5f);
    for (int i = 0; i < expected.length; i++) {
      expected[i] *= 0.5f;
    }
    assertReads(expected);
  }

  @Test
  void scalesOfRowsAreSaidToBe() throws IOException {
    float[] scales = {1, 2, 3, 4, 5, 6};
    tensors.put(LAYER + ".scale_weight", Tensor.ofFloats(scales, ROWS, 1));
    try (PlacedTensors open = open()) {
      TensorInfo weight = open.find(LAYER + ".weight").orElseThrow();
      TensorInfo some = SelectedRows.of(weight, "some", new SelectedRows.Range(2, 3));
      assertThat(some.encoding()).isInstanceOf(ScaledElements.class);
      assertThat(some.offset()).isEqualTo(weight.offset() + 2 * COLUMNS);
      Scales own = ((ScaledElements) some.encoding()).scales();
      assertThat(own.areOfRows()).isTrue();
      float[] read = new float[3];
      own.read(open.bytes(), 0, read, 3);
      assertThat(read).containsExactly(3, 4, 5);
    }
  }

  @Test
  void descriptionsOfComfyUi() throws IOException {
    scale(".weight_scale", 0.3f);
    describe("{\"format\": \"float8_e4m3fn\", \"full_precision_matrix_mult\": true}");
    assertReads(times(0.3f));
    metadata.put(
        "_quantization_metadata",
        "{\"format_version\": \"1.0\", \"layers\": {\"img_attn.proj\": {\"format\":"
            + " \"float8_e4m3fn_rowwise\"}, \"other\": \"float8_e5m2\"}}");
    assertReads(times(0.3f));
  }

  /** Some programs store float8 as bytes. */
  @Test
  void bytesThatAreSaidToBeFloat8() throws IOException {
    put(LAYER + ".weight", ElementType.U8, codes, ROWS, COLUMNS);
    describe("{\"format\": \"float8_e4m3fn\"}");
    assertReads(plain);
    scale(".weight_scale", 0.3f);
    assertReads(times(0.3f));
    tensors.remove(LAYER + ".comfy_quant");
    metadata.put(
        "_quantization_metadata", "{\"layers\": {\"0.img_attn.proj\": \"float8_e4m3fn\"}}");
    assertReads(times(0.3f));
    metadata.clear();
    assertRefused(ModelException.class, "'" + LAYER + ".weight'", "U8[6, 8] with scales F32[]");
  }

  private void describe(String json) {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    put(LAYER + ".comfy_quant", ElementType.U8, bytes, bytes.length);
  }

  private void assertRefused(Class<? extends UraeException> kind, String... parts)
      throws IOException {
    assertThatThrownBy(() -> open().close())
        .isInstanceOf(kind)
        .hasMessageContaining("flux.safetensors")
        .hasMessageContainingAll(parts);
  }

  @Test
  void otherFormatsOfComfyUiAreRefused() throws IOException {
    scale(".weight_scale", 1);
    for (String format : List.of("nvfp4", "mxfp8", "int8_tensorwise", "float9_e5m3")) {
      describe("{\"format\": \"" + format + "\"}");
      assertRefused(ModelException.class, "ComfyUI", "'" + format + "'", LAYER, "bfloat16");
    }
    describe("{}");
    assertRefused(ModelException.class, "ComfyUI", LAYER);
    describe("{nope");
    assertRefused(FileFormatException.class, LAYER + ".comfy_quant", "JSON");
    describe("[1]");
    assertRefused(FileFormatException.class, LAYER + ".comfy_quant", "JSON object");
    put(LAYER + ".comfy_quant", ElementType.U8, new byte[] {(byte) 0xC3, 0x28}, 2);
    assertRefused(FileFormatException.class, LAYER + ".comfy_quant", "UTF-8");
    put(LAYER + ".comfy_quant", ElementType.F32, new byte[8], 2);
    assertRefused(FileFormatException.class, LAYER + ".comfy_quant", "F32[2]");
    put(LAYER + ".comfy_quant", ElementType.U8, new byte[1 << 17], 1 << 17);
    assertRefused(FileFormatException.class, LAYER + ".comfy_quant", "U8[131072]");
    tensors.remove(LAYER + ".comfy_quant");
    metadata.put("_quantization_metadata", "{\"layers\": {\"x\": {\"format\": \"nvfp4\"}}}");
    assertRefused(ModelException.class, "'nvfp4'", "'x'");
    metadata.put("_quantization_metadata", "{\"layers\": ");
    assertRefused(FileFormatException.class, "_quantization_metadata", "JSON");
  }

  @Test
  void scalesThatDoNotFitAreRefused() throws IOException {
    for (long[] shape : new long[][] {{5}, {8}, {4, 1}, {6, 3}, {6, 4, 2}, {0}, {2, 3, 1, 2}}) {
      float[] scales = new float[(int) Shape.of(shape).elementCount()];
      tensors.put(LAYER + ".scale_weight", Tensor.ofFloats(scales, shape));
      assertRefused(
          FileFormatException.class, LAYER + ".scale_weight", "[6, 8]", "found " + Shape.of(shape));
    }
    put(LAYER + ".scale_weight", ElementType.U8, new byte[12], 6, 2);
    assertRefused(ModelException.class, "U8[6, 2]", "MXFP8");
    scale(".scale_weight", 1);
    scale(".weight_scale", 1);
    assertRefused(FileFormatException.class, LAYER + ".scale_weight", LAYER + ".weight_scale");
    tensors.remove(LAYER + ".weight_scale");
    tensors.put(LAYER + ".scale_weight_tensor", Tensor.ofFloats(new float[2], 2));
    assertRefused(FileFormatException.class, LAYER + ".scale_weight_tensor", "one number");
    tensors.remove(LAYER + ".scale_weight");
    assertRefused(FileFormatException.class, LAYER + ".scale_weight_tensor", "does not hold");
    tensors.clear();
    scale(".scale_weight", 1);
    assertRefused(FileFormatException.class, LAYER + ".scale_weight", "does not hold");
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
  void scalesThatAreNoNumbersAreRefused(float scale) throws IOException {
    scale(".scale_weight", scale);
    assertRefused(FileFormatException.class, LAYER + ".scale_weight", "finite");
    tensors.put(
        LAYER + ".scale_weight", Tensor.ofFloats(new float[] {1, 1, scale, 1, 1, 1}, ROWS, 1));
    try (PlacedTensors open = open()) {
      float[] row = new float[COLUMNS];
      open.readRows(LAYER + ".weight", 1, 1, row, 0);
      assertThatThrownBy(() -> open.readRows(LAYER + ".weight", 2, 1, row, 0))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll(LAYER + ".scale_weight", "scale 2", "finite");
    }
  }

  @Test
  void valuesThatAreNoNumbersAreRefused() throws IOException {
    codes[11] = 0x7F;
    try (PlacedTensors open = open()) {
      float[] values = new float[codes.length];
      assertThatThrownBy(() -> open.readFloats(LAYER + ".weight", 1, values, 0, 40))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll(LAYER + ".weight", "element 11", "NaN");
    }
    codes[11] = 0x7C;
    put(LAYER + ".weight", ElementType.F8_E5M2, codes, ROWS, COLUMNS);
    try (PlacedTensors open = open()) {
      assertThatThrownBy(() -> open.readFloats(LAYER + ".weight", 11, new float[1], 0, 1))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll("element 11", "Infinity");
    }
  }

  @Test
  void unquantisedTensorsStayAsTheyAre() throws IOException {
    tensors.clear();
    tensors.put(LAYER + ".weight", Tensor.ofFloats(new float[4], 2, 2));
    put("position_ids", ElementType.I64, new byte[16], 2);
    put("spiece_model", ElementType.U8, new byte[16], 16);
    try (TensorSource stored = Safetensors.open(write())) {
      assertThat(RecognisedEncodings.of(stored)).isSameAs(stored.tensors());
    }
  }
}
