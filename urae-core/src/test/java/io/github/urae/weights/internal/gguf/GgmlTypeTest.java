package io.github.urae.weights.internal.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.internal.BlockEncoding;
import io.github.urae.weights.internal.CodedBlocks;
import io.github.urae.weights.internal.PlacedTensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random blocks of every type give the values that ggml's own code and gguf-py gave for them. The
 * file was made by gguf 0.19.0 and ggml-python 0.0.45: bytes drawn with seed 15, and among the
 * scales zero, a negative zero, a subnormal number and large ones.
 */
class GgmlTypeTest {

  @TempDir static Path folder;

  private static Path file;

  @BeforeAll
  static void unpack() throws IOException {
    file = folder.resolve("blocks.safetensors");
    try (InputStream in = GgmlTypeTest.class.getResourceAsStream("blocks.safetensors")) {
      Files.copy(in, file);
    }
  }

  private static Stream<GgmlType> types() {
    return Stream.of(GgmlType.values()).filter(type -> !type.encoding().isPlain());
  }

  private static byte[] stored(SafetensorsFile open, GgmlType type) throws IOException {
    Tensor tensor = open.tensor(type + "/stored");
    byte[] bytes = new byte[(int) tensor.shape().elementCount()];
    tensor.data(0, bytes.length).get(bytes);
    return bytes;
  }

  @ParameterizedTest
  @MethodSource("types")
  void valuesAreThoseOfGgmlBitForBit(GgmlType type) throws IOException {
    BlockEncoding encoding = (BlockEncoding) type.encoding();
    assertThat(encoding.name()).isEqualTo(type.name());
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      TensorInfo bytes = open.tensors().get(type + "/stored");
      float[] expected = open.tensor(type + "/values").toFloats();
      Shape shape = Shape.of(4, expected.length / 4);
      assertThat(encoding.byteSize(shape)).isEqualTo(bytes.length());
      TensorInfo place =
          new TensorInfo("blocks", encoding, shape, file, bytes.offset(), bytes.length());
      try (PlacedTensors placed = PlacedTensors.open(List.of(place))) {
        float[] values = new float[expected.length];
        placed.readFloats("blocks", 0, values, 0, values.length);
        for (int i = 0; i < values.length; i++) {
          assertThat(Float.floatToRawIntBits(values[i]))
              .as("value %d: expected %s, found %s", i, expected[i], values[i])
              .isEqualTo(Float.floatToRawIntBits(expected[i]));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("types")
  void integersAreWithinTheirRangeAndReachItsEnds(GgmlType type) throws IOException {
    BlockEncoding encoding = (BlockEncoding) type.encoding();
    BlockEncoding.Layout layout = encoding.layout();
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      byte[] stored = stored(open, type);
      int blocks = stored.length / layout.blockBytes();
      CodedBlocks codes = encoding.allocate(blocks);
      TensorInfo tensor = new TensorInfo("blocks", encoding, Shape.of(1), file, 0, stored.length);
      encoding.readCodes(tensor, 0, stored, blocks, codes);
      assertThat(codes.codes()).hasSize(blocks * layout.blockElements());
      assertThat(codes.scales()).hasSize(codes.codes().length / layout.groupElements());
      assertThat(codes.offsets()).hasSize(layout.hasOffsets() ? codes.scales().length : 0);
      int lowest = Integer.MAX_VALUE;
      int highest = Integer.MIN_VALUE;
      for (byte code : codes.codes()) {
        lowest = Math.min(lowest, code);
        highest = Math.max(highest, code);
      }
      assertThat(List.of(lowest, highest))
          .isEqualTo(List.of(layout.lowestCode(), layout.highestCode()));
    }
  }

  @Test
  void aScaleThatIsNoNumberIsRefusedByItsPlace() throws IOException {
    BlockEncoding q4k = (BlockEncoding) GgmlType.Q4_K.encoding();
    int size = q4k.layout().blockBytes();
    for (short wrong : new short[] {0x7C00, (short) 0xFC00, 0x7E01}) {
      for (int at : new int[] {0, 2}) {
        byte[] blocks = new byte[5 * size];
        Arrays.fill(blocks, 3 * size + 4, 3 * size + 16, (byte) 1);
        ByteBuffer.wrap(blocks).putShort(3 * size + at, Short.reverseBytes(wrong));
        Path damaged = Files.write(folder.resolve("damaged.bin"), blocks);
        TensorInfo place =
            new TensorInfo("a.weight", q4k, Shape.of(5, 256), damaged, 0, blocks.length);
        try (PlacedTensors open = PlacedTensors.open(List.of(place))) {
          open.readRows("a.weight", 0, 3, new float[768], 0);
          assertThatThrownBy(() -> open.readRows("a.weight", 2, 3, new float[768], 0))
              .isInstanceOf(FileFormatException.class)
              .hasMessageContainingAll(
                  "damaged.bin",
                  "'a.weight'",
                  "Q4_K",
                  at == 0 ? "scale" : "minimum",
                  "in block 3;",
                  "download it again");
        }
      }
    }
  }

  @Test
  void numbersOfTypes() {
    assertThat(Stream.of(GgmlType.values()).map(GgmlType::id))
        .containsExactly(0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23, 28, 30);
    for (GgmlType type : GgmlType.values()) {
      assertThat(GgmlType.of(type.id())).contains(type);
    }
    assertThat(GgmlType.of(4)).isEmpty();
    assertThat(GgmlType.of(-1)).isEmpty();
  }
}
