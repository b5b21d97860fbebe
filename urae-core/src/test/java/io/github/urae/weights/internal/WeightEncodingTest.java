package io.github.urae.weights.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.CancellationToken;
import io.github.urae.FileFormatException;
import io.github.urae.ProgressListener;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.tensor.internal.Elements;
import io.github.urae.weights.SafetensorsFile;
import io.github.urae.weights.SafetensorsWriter;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import io.github.urae.weights.internal.SelectedRows.Range;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every encoding gives the same values, whichever part of a tensor is asked for. */
class WeightEncodingTest {

  @TempDir Path folder;

  /** A made-up type: 8 values of four bits less 8, low nibbles first, times a float. */
  private static final class Nibbles extends BlockEncoding {

    Nibbles() {
      super("NIBBLES", new Layout(8, 8, 8, -8, 7, false));
    }

    @Override
    protected void decode(byte[] stored, int blocks, CodedBlocks target) {
      ByteBuffer bytes = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN);
      for (int block = 0; block < blocks; block++) {
        target.scales()[block] = bytes.getFloat(block * 8);
        for (int i = 0; i < 8; i++) {
          int pair = bytes.get(block * 8 + 4 + i / 2);
          target.codes()[block * 8 + i] = (byte) ((pair >> (i % 2 * 4) & 15) - 8);
        }
      }
    }
  }

  /** A made-up companion: bytes, and a float for each row in a tensor of its own. */
  private record ScaledRows(TensorInfo scales) implements WeightEncoding {

    @Override
    public String name() {
      return "scaled rows";
    }

    @Override
    public ElementType valueType() {
      return ElementType.F32;
    }

    @Override
    public List<TensorInfo> companions() {
      return List.of(scales);
    }

    @Override
    public long byteSize(Shape shape) {
      return shape.elementCount();
    }

    @Override
    public void toFloats(
        TensorInfo tensor, StoredBytes bytes, long first, float[] target, int offset, int count)
        throws IOException {
      ByteBuffer stored = ByteBuffer.allocate(count);
      bytes.read(tensor, first, stored);
      for (int i = 0; i < count; i++) {
        long row = (first + i) / tensor.columns();
        float scale = bytes.map(scales, row * Float.BYTES, Float.BYTES).getFloat(0);
        target[offset + i] = stored.get(i) * scale;
      }
    }
  }

  private static PlacedTensors open(TensorInfo... tensors) throws IOException {
    return PlacedTensors.open(List.of(tensors));
  }

  /** Any part of the tensor is the same part of all its values, and nothing else is written. */
  private static void assertReads(PlacedTensors open, String name, float[] expected)
      throws IOException {
    Random random = new Random(1);
    for (int round = 0; round < 300; round++) {
      int first = random.nextInt(expected.length + 1);
      int count = random.nextInt(expected.length - first + 1);
      int offset = random.nextInt(3);
      float[] part = new float[count + 4];
      open.readFloats(name, first, part, offset, count);
      float[] wanted = new float[count + 4];
      System.arraycopy(expected, first, wanted, offset, count);
      assertThat(part).as("%s from %d, %d values", name, first, count).isEqualTo(wanted);
    }
    assertThatThrownBy(() -> open.readFloats(name, expected.length, new float[2], 0, 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> open.readFloats(name, 0, new float[2], 1, 2))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  private Path write(ByteBuffer bytes) throws IOException {
    byte[] all = new byte[bytes.remaining()];
    bytes.duplicate().get(all);
    return Files.write(Files.createTempFile(folder, "stored", ".bin"), all);
  }

  private static float[] random(int count) {
    Random random = new Random(count);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextInt(2000) / 8f;
    }
    return values;
  }

  @Test
  void plainAndTransposed() throws IOException {
    int rows = 150;
    int columns = 70;
    float[] values = random(rows * columns);
    float[] transpose = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      transpose[i % columns * rows + i / columns] = values[i];
    }
    for (ElementType type : List.of(ElementType.F32, ElementType.F16, ElementType.F64)) {
      ByteBuffer bytes = ByteBuffer.allocate((int) type.byteSize(2L * values.length));
      Elements.fromFloats(type, values, 0, values.length, bytes);
      Elements.fromFloats(type, transpose, 0, values.length, bytes);
      Path file = write(bytes.flip());
      long size = type.byteSize(values.length);
      Shape shape = Shape.of(rows, columns);
      try (PlacedTensors open =
          open(
              new TensorInfo("plain", WeightEncoding.plain(type), shape, file, 0, size),
              new TensorInfo("turned", new TransposedElements(type), shape, file, size, size))) {
        assertReads(open, "plain", values);
        assertReads(open, "turned", values);
        float[] two = new float[2 * columns];
        open.readRows("turned", 100, 2, two, 0);
        assertThat(two).isEqualTo(Arrays.copyOfRange(values, 100 * columns, 102 * columns));
        assertThat(open.tensor("plain").toFloats()).isEqualTo(values);
        // What a file holds is read as it lies there: bringing it into memory transposes nothing.
        ByteBuffer asStored = ByteBuffer.allocate((int) size);
        open.read("turned", 0, asStored);
        assertThat(asStored.flip()).isEqualTo(bytes.slice((int) size, (int) size));
        assertThatThrownBy(() -> open.tensor("turned"))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContainingAll("turned", type + " transposed", "as floats");
      }
    }
  }

  private static ByteBuffer nibbles(int rows, int columns, float[] values) {
    int blocks = (columns + 7) / 8;
    Random random = new Random(columns);
    ByteBuffer bytes = ByteBuffer.allocate(rows * blocks * 8).order(ByteOrder.LITTLE_ENDIAN);
    for (int row = 0; row < rows; row++) {
      for (int block = 0; block < blocks; block++) {
        float scale = 1 + random.nextInt(100) / 16f;
        bytes.putFloat(scale);
        byte[] pairs = new byte[4];
        random.nextBytes(pairs);
        bytes.put(pairs);
        for (int i = 0; i < 8 && block * 8 + i < columns; i++) {
          int code = pairs[i / 2] >> (i % 2 * 4) & 15;
          values[row * columns + block * 8 + i] = scale * (code - 8);
        }
      }
    }
    return bytes.flip();
  }

  @Test
  void blocksAndTheirRows() throws IOException {
    Nibbles nibbles = new Nibbles();
    // Rows of whole blocks, and rows that are filled up; more than is read at once.
    for (int columns : new int[] {16, 13, 1}) {
      int rows = 90;
      Shape shape = Shape.of(rows, columns);
      float[] values = new float[rows * columns];
      Path file = write(nibbles(rows, columns, values));
      TensorInfo whole = new TensorInfo("whole", nibbles, shape, file, 0, nibbles.byteSize(shape));
      assertThat(whole.length()).isEqualTo(Files.size(file));
      TensorInfo some = SelectedRows.of(whole, "some", new Range(7, 30));
      TensorInfo swapped = SelectedRows.of(whole, "swapped", new Range(45, 45), new Range(0, 45));
      assertThat(some.encoding()).isSameAs(nibbles);
      try (PlacedTensors open = open(whole, some, swapped)) {
        assertReads(open, "whole", values);
        assertReads(open, "some", Arrays.copyOfRange(values, 7 * columns, 37 * columns));
        float[] turned = new float[values.length];
        System.arraycopy(values, 45 * columns, turned, 0, 45 * columns);
        System.arraycopy(values, 0, turned, 45 * columns, 45 * columns);
        assertReads(open, "swapped", turned);
      }
    }
  }

  @Test
  void blocksOfATensorThatIsReadInSeveralPieces() throws IOException {
    Nibbles nibbles = new Nibbles();
    Shape shape = Shape.of(400, 1000);
    float[] values = new float[400_000];
    Path file = write(nibbles(400, 1000, values));
    try (PlacedTensors open =
        open(new TensorInfo("whole", nibbles, shape, file, 0, nibbles.byteSize(shape)))) {
      float[] read = new float[399_990];
      open.readFloats("whole", 5, read, 0, read.length);
      assertThat(read).isEqualTo(Arrays.copyOfRange(values, 5, 399_995));
    }
  }

  @Test
  void companionsInOtherFilesAreReadWithTheirTensor() throws IOException {
    byte[] stored = {1, 2, 3, -4, 5, 6};
    Path file = Files.write(folder.resolve("weight.bin"), stored);
    ByteBuffer floats = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    Path scales = write(floats.putFloat(0.5f).putFloat(2).putFloat(-1).flip());
    TensorInfo companion =
        new TensorInfo(
            "w.scale", WeightEncoding.plain(ElementType.F32), Shape.of(3), scales, 0, 12);
    TensorInfo weight = new TensorInfo("w", new ScaledRows(companion), Shape.of(3, 2), file, 0, 6);
    // Its scales would have to be cut as well: rows are taken when they are read.
    TensorInfo last = SelectedRows.of(weight, "last", new Range(2, 1));
    try (PlacedTensors open = open(weight, last)) {
      assertThat(open.files()).containsExactly(file, scales);
      assertThat(open.tensors()).containsOnlyKeys("w", "last");
      assertReads(open, "w", new float[] {0.5f, 1, 6, -8, -5, -6});
      assertReads(open, "last", new float[] {-5, -6});
    }
    TensorInfo tooLong =
        new TensorInfo(
            "w.scale", WeightEncoding.plain(ElementType.F32), Shape.of(4), scales, 0, 16);
    assertThatThrownBy(
            () -> open(new TensorInfo("w", new ScaledRows(tooLong), Shape.of(3, 2), file, 0, 6)))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("'w.scale'", "ends at 12");
  }

  @Test
  void blocksAreConvertedToPlainElements() throws IOException {
    Nibbles nibbles = new Nibbles();
    Shape shape = Shape.of(5, 20);
    float[] values = new float[100];
    Path file = write(nibbles(5, 20, values));
    Path target = folder.resolve("converted.safetensors");
    try (PlacedTensors open =
        open(new TensorInfo("w", nibbles, shape, file, 0, nibbles.byteSize(shape)))) {
      List<SafetensorsWriter.Declaration> declarations =
          List.of(new SafetensorsWriter.Declaration("w", ElementType.F32, shape));
      try (SafetensorsWriter writer = SafetensorsWriter.create(target, Map.of(), declarations)) {
        WeightConversion.write(
            open,
            declarations,
            (name, sink) -> WeightConversion.values(open, name, ElementType.F32, sink),
            writer::write,
            "transformer",
            ProgressListener.NONE,
            new CancellationToken());
        writer.finish();
      }
    }
    try (SafetensorsFile converted = SafetensorsFile.open(target)) {
      assertThat(converted.tensor("w").toFloats()).isEqualTo(values);
    }
  }

  @Test
  void theLastRowsOfATensorOfSeveralGibibytes() throws IOException {
    Nibbles nibbles = new Nibbles();
    Shape shape = Shape.of(1_000_000, 3072);
    long size = nibbles.byteSize(shape);
    float[] lastRows = new float[2 * 3072];
    Path file = folder.resolve("huge.bin");
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer rows = nibbles(2, 3072, lastRows);
      channel.write(rows, size - rows.remaining());
    }
    assertThat(size).isGreaterThan(3_000_000_000L);
    TensorInfo whole = new TensorInfo("whole", nibbles, shape, file, 0, size);
    TensorInfo last = SelectedRows.of(whole, "last", new Range(999_998, 2));
    try (PlacedTensors open = open(whole, last)) {
      float[] read = new float[2 * 3072];
      open.readRows("whole", 999_998, 2, read, 0);
      assertThat(read).isEqualTo(lastRows);
      open.readRows("last", 0, 2, read, 0);
      assertThat(read).isEqualTo(lastRows);
    }
    Files.delete(file);
  }

  @Test
  void largeTensorsAreWrittenInParts() throws IOException {
    // A tensor of 2.2 GB of zeros but for its ends, made when asked for.
    long size = 2_200_000_000L;
    Tensor tensor =
        Tensor.view(
            ElementType.U8,
            Shape.of(size),
            (position, length) -> {
              ByteBuffer piece = ByteBuffer.allocate(length);
              if (position == 0) {
                piece.put(0, (byte) 1);
              }
              if (position + length == size) {
                piece.put(length - 1, (byte) 2);
              }
              return piece;
            },
            "made when asked");
    Path file = folder.resolve("parts.safetensors");
    SafetensorsWriter.write(file, Map.of(), Map.of("a", tensor));
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      assertThat(open.tensor("a").data(0, 1).get()).isEqualTo((byte) 1);
      assertThat(open.tensor("a").data(size - 1, 1).get()).isEqualTo((byte) 2);
    }
    Files.delete(file);
  }
}
