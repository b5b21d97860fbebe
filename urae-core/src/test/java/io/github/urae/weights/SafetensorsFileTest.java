package io.github.urae.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.urae.FileFormatException;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import io.github.urae.weights.internal.ShardedSafetensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {

  private static final String ONE_TENSOR = "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}";

  @TempDir Path folder;

  /** A file of a header (single quotes stand for double ones) and zeros as data. */
  private Path file(String json, int dataBytes) throws IOException {
    return file(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8), dataBytes);
  }

  private Path file(byte[] json, int dataBytes) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json);
    return Files.write(folder.resolve("test.safetensors"), bytes.array());
  }

  private static void assertRefused(Path file, String... parts) {
    var thrown =
        assertThatThrownBy(() -> SafetensorsFile.open(file).close())
            .isInstanceOf(FileFormatException.class)
            .hasMessageStartingWith(file.toString());
    for (String part : parts) {
      thrown.hasMessageContaining(part);
    }
  }

  @Test
  void readsWhatTheFormatAllows() throws IOException {
    // Unaligned data, trailing spaces, keys in another order than the data, an unknown field.
    String json =
        "{'b':{'data_offsets':[2,6],'shape':[],'dtype':'F32','later':{'x':[1]}},"
            + "'__metadata__':{'format':'pt'},"
            + "'a':{'dtype':'U8','shape':[2,1],'data_offsets':[0,2]},"
            + "'empty':{'dtype':'F32','shape':[0,3],'data_offsets':[2,2]}}   ";
    try (SafetensorsFile open = SafetensorsFile.open(file(json, 6))) {
      assertThat(open.metadata()).containsExactly(Map.entry("format", "pt"));
      assertThat(open.tensors().keySet()).containsExactly("a", "empty", "b");
      assertThat(open.tensor("b").shape()).isEqualTo(Shape.of());
      assertThat(open.tensor("b").toFloats()).containsExactly(0f);
      assertThat(open.tensor("empty").toFloats()).isEmpty();
      assertThat(open.find("c")).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7})
  void filesWithoutALengthAreRefused(int size) throws IOException {
    Path file = Files.write(folder.resolve("short.safetensors"), new byte[size]);
    assertRefused(file, "found only " + size + " bytes");
  }

  @ParameterizedTest
  @CsvSource({"100000001, 100000001", "-1, 18446744073709551615"})
  void headersBeyondTheLimitAreRefused(long length, String shown) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
    assertRefused(Files.write(folder.resolve("x.safetensors"), bytes.array()), "100000000", shown);
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] whole = Files.readAllBytes(file(ONE_TENSOR, 8));
    for (int length = 0; length < whole.length; length++) {
      Path cut = folder.resolve("cut.safetensors");
      Files.write(cut, Arrays.copyOf(whole, length));
      assertRefused(cut);
    }
  }

  @Test
  void bytesAfterTheLastTensorAreRefused() throws IOException {
    assertRefused(file(ONE_TENSOR, 9), "1 bytes follow the last tensor");
  }

  @Test
  void aHeaderThatIsNotUtf8IsRefused() throws IOException {
    assertRefused(file(new byte[] {'{', '"', (byte) 0xC3, '(', '"', '}'}, 0), "not UTF-8");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " {}",
        "[]",
        "{",
        "{'a'}",
        "{'a':1}",
        "{}{}",
        "{} x",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},"
            + "'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
        "{'__metadata__':{'a':1},'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
        "{'__metadata__':[],'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}} \u0000",
        "{'a':{'shape':[2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2]}}",
        "{'a':{'dtype':7,'shape':[2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F33','shape':[2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':2,'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2.0],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':['2'],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8,8]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,9223372036854775807]}}",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,18446744073709551616]}}",
        "{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F4','shape':[3],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,8]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},"
            + "'b':{'dtype':'U8','shape':[5],'data_offsets':[3,8]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},"
            + "'b':{'dtype':'U8','shape':[3],'data_offsets':[5,8]}}",
        "{'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},"
            + "'b':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}"
      })
  void headersThatLieAreRefused(String json) throws IOException {
    assertRefused(file(json, 8));
  }

  /** As large as a header may be, in the memory of a small process. */
  @Test
  void headersThatAreBombsAreRefused() throws IOException {
    String tensor = "'%d':{'dtype':'U8','shape':[0],'data_offsets':[0,0]},";
    StringBuilder many = new StringBuilder("{");
    for (int i = 0; i <= 250_000; i++) {
      many.append(tensor.formatted(i));
    }
    assertRefused(file(many.append("'end':0}").toString(), 0), "more than 250000 tensors");
    String ones = "1,".repeat(100);
    assertRefused(
        file("{'a':{'dtype':'U8','shape':[" + ones + "1],'data_offsets':[0,1]}}", 1),
        "tensor 'a'",
        "shape holds more than 64 numbers");
    for (String deep :
        List.of(
            "{'a':" + "[".repeat(1_000_000),
            "{'a':{'x':" + "{'b':".repeat(1_000_000),
            "{'__metadata__':{'a':" + "[".repeat(1_000_000))) {
      assertRefused(file(deep, 0));
    }
    String digits = "1".repeat(1_000_000);
    assertRefused(
        file("{'a':{'dtype':'U8','shape':[" + digits + "],'data_offsets':[0,1]}}", 1),
        "Number value length");
    assertRefused(
        file("{'a':{'dtype':'U8','shape':[1e" + digits + "],'data_offsets':[0,1]}}", 1),
        "Number value length");
  }

  @Test
  void keysMayBeLong() throws IOException {
    String name = "k".repeat(1_000_000);
    Path file = file("{'" + name + "':{'dtype':'U8','shape':[1],'data_offsets':[0,1]}}", 1);
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      assertThat(open.tensors()).containsOnlyKeys(name);
    }
  }

  @Test
  void errorsNameTheTensorAndWhatWasFound() throws IOException {
    assertRefused(
        file("{'a.b':{'dtype':'F32','shape':[3],'data_offsets':[0,8]}}", 8),
        "tensor 'a.b'",
        "F32[3] takes 12 bytes",
        "span 8");
  }

  @Test
  void aMissingFileIsAnIoException() {
    assertThatThrownBy(() -> SafetensorsFile.open(folder.resolve("no.safetensors")))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("no.safetensors");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void randomRoundTrips(long seed) throws IOException {
    Random random = new Random(seed);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    int count = random.nextInt(20);
    for (int i = 0; i < count; i++) {
      ElementType type = List.of(ElementType.values()).get(random.nextInt(20));
      Shape shape = randomShape(random);
      byte[] bytes = new byte[(int) type.byteSize(shape.elementCount())];
      if (random.nextInt(3) > 0) {
        random.nextBytes(bytes); // otherwise zeros, which become holes
      }
      String name = "tensor " + i + (i % 2 == 0 ? "" : " \"ü\u2028\\");
      tensors.put(name, Tensor.view(type, shape, ByteBuffer.wrap(bytes), name));
    }
    Path file = folder.resolve("round.safetensors");
    Map<String, String> metadata = Map.of("key ü", "value\n\"quoted\"");
    SafetensorsWriter.write(file, metadata, tensors);
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      assertThat(open.metadata()).isEqualTo(metadata);
      assertThat(open.tensors()).hasSameSizeAs(tensors);
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        Tensor read = open.tensor(entry.getKey());
        assertThat(read.type()).as("seed %d, %s", seed, entry).isEqualTo(entry.getValue().type());
        assertThat(read.shape()).isEqualTo(entry.getValue().shape());
        assertThat(read.data()).as("seed %d, %s", seed, entry).isEqualTo(entry.getValue().data());
      }
    }
    assertThat(listFolder()).containsExactly("round.safetensors");
  }

  private static Shape randomShape(Random random) {
    // A large one now and then, so that holes and several blocks occur; a multiple of 8 elements,
    // so that packed types fit.
    if (random.nextInt(4) == 0) {
      return Shape.of(random.nextInt(8), 8L * random.nextInt(20_000));
    }
    long[] dimensions = new long[1 + random.nextInt(3)];
    Arrays.setAll(dimensions, i -> random.nextInt(4));
    dimensions[0] *= 8;
    return Shape.of(dimensions);
  }

  private List<String> listFolder() throws IOException {
    try (var entries = Files.list(folder)) {
      return entries.map(p -> p.getFileName().toString()).toList();
    }
  }

  @Test
  void filesBeyondTwoGigabytesAreReadAtTheirEnd() throws IOException {
    // Three tensors of 900 MB, one of 2.5 GB, one of a few bytes: all holes but for the marks.
    Path file = folder.resolve("large.safetensors");
    List<SafetensorsWriter.Declaration> declarations =
        List.of(
            new SafetensorsWriter.Declaration("a", ElementType.U8, Shape.of(900_000_000)),
            new SafetensorsWriter.Declaration("b", ElementType.U8, Shape.of(900_000_000)),
            new SafetensorsWriter.Declaration("c", ElementType.U8, Shape.of(900_000_000)),
            new SafetensorsWriter.Declaration("huge", ElementType.U8, Shape.of(2_500_000_000L)),
            new SafetensorsWriter.Declaration("last", ElementType.U8, Shape.of(3)));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, Map.of(), declarations)) {
      ByteBuffer zeros = ByteBuffer.allocateDirect(100_000_000);
      for (SafetensorsWriter.Declaration tensor : declarations.subList(0, 4)) {
        for (long done = 0; done < tensor.byteSize(); done += zeros.capacity()) {
          writer.write(tensor.name(), zeros.clear());
        }
      }
      writer.write("last", ByteBuffer.wrap(new byte[] {1, 2, 3}));
      writer.finish();
    }
    try (SafetensorsFile open = SafetensorsFile.open(file);
        FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      for (String name : List.of("a", "b", "c", "huge")) {
        TensorInfo info = open.tensors().get(name);
        ByteBuffer mark = ByteBuffer.wrap(new byte[] {42});
        channel.write(mark, info.offset() + info.length() - 1);
      }
      for (String name : List.of("a", "b", "c")) {
        assertThat(open.tensor(name).data().get(899_999_999)).isEqualTo((byte) 42);
        assertThat(open.tensor(name).data().get(0)).isEqualTo((byte) 0);
      }
      assertThat(open.tensor("last").toFloats()).containsExactly(1, 2, 3);
      Tensor huge = open.tensor("huge");
      assertThat(huge.byteSize()).isEqualTo(2_500_000_000L);
      assertThatThrownBy(huge::data)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContainingAll("2500000000 bytes", "in parts");
      assertThat(huge.data(2_499_999_998L, 2)).isEqualTo(ByteBuffer.wrap(new byte[] {0, 42}));
      assertThat(huge.data(1_000_000_000L, 1_500_000_000).get(1_499_999_999)).isEqualTo((byte) 42);
      assertThat(huge.data(0, Integer.MAX_VALUE).get(0)).isEqualTo((byte) 0);
      assertThatThrownBy(() -> huge.data(2_499_999_999L, 2))
          .isInstanceOf(IndexOutOfBoundsException.class);
      float[] lastRows = new float[3];
      huge.toFloats(2_499_999_997L, lastRows, 0, 3);
      assertThat(lastRows).containsExactly(0, 0, 42);
      open.readFloats("huge", 2_499_999_998L, lastRows, 1, 2);
      assertThat(lastRows).containsExactly(0, 0, 42);
      ByteBuffer end = ByteBuffer.allocate(2);
      open.read("huge", 2_499_999_998L, end);
      assertThat(end.array()).containsExactly(0, 42);
      assertThatThrownBy(() -> open.read("huge", 2_499_999_999L, ByteBuffer.allocate(2)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void aFileCutShortWhileMappedIsAClearError() throws IOException {
    Path file = folder.resolve("cut.safetensors");
    int elements = 1 << 20;
    SafetensorsWriter.write(
        file, Map.of(), Map.of("a", Tensor.ofFloats(new float[elements], elements)));
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      Tensor tensor = open.tensor("a");
      open.checkUnchanged();
      try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
        cut.setLength(8192);
      }
      assertThatThrownBy(tensor::toFloats)
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll("cut.safetensors", "'a'", "cut short to 8192 bytes");
      assertThatThrownBy(() -> open.read("a", 0, ByteBuffer.allocate(elements)))
          .isInstanceOf(FileFormatException.class)
          .hasMessageContainingAll("cut.safetensors", "'a'", "cut short");
      assertThatThrownBy(open::checkUnchanged)
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining("changed while it was open");
    }
  }

  /** Java closes a file's channel when a thread that reads from it is interrupted. */
  @Test
  @Timeout(300)
  void anInterruptedReaderDisturbsNobody() throws Exception {
    Path file = folder.resolve("shared.safetensors");
    int elements = 1 << 16;
    float[] expected = new float[elements];
    for (int i = 0; i < elements; i++) {
      expected[i] = i;
    }
    SafetensorsWriter.write(file, Map.of(), Map.of("a", Tensor.ofFloats(expected, elements)));
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      // Whoever interrupts may be late: until then it is read on.
      IntFunction<Callable<Integer>> reading =
          leastInterrupts ->
              () -> {
                float[] found = new float[elements];
                int interrupts = 0;
                for (int i = 0; i < 2000 || interrupts < leastInterrupts; i++) {
                  Arrays.fill(found, -1);
                  open.readFloats("a", 0, found, 0, elements);
                  assertThat(Arrays.equals(found, expected)).isTrue();
                  assertThat(open.tensor("a").data(4, 4).getFloat(0)).isEqualTo(1);
                  interrupts += Thread.interrupted() ? 1 : 0;
                }
                return interrupts;
              };
      FutureTask<Integer> interrupted = new FutureTask<>(reading.apply(20));
      FutureTask<Integer> other = new FutureTask<>(reading.apply(0));
      Thread reader = new Thread(interrupted);
      reader.start();
      new Thread(other).start();
      while (!interrupted.isDone()) {
        reader.interrupt();
        Thread.sleep(0, 100_000);
      }
      assertThat(interrupted.get()).isPositive();
      assertThat(other.get()).isZero();
    }
  }

  @Test
  void useAfterCloseIsRefusedAndClosingTwiceIsHarmless() throws IOException {
    SafetensorsFile open = SafetensorsFile.open(file(ONE_TENSOR, 8));
    Tensor tensor = open.tensor("a");
    open.close();
    open.close();
    assertThatThrownBy(tensor::toFloats).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(tensor::data).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> open.tensor("a")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> open.read("a", 0, ByteBuffer.allocate(1)))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void mappingsAreReleasedOnClose() throws IOException {
    Path maps = Path.of("/proc/self/maps");
    assumeTrue(Files.exists(maps), "needs Linux");
    Path file = file(ONE_TENSOR, 8);
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      open.tensor("a").data();
      assertThat(Files.readString(maps)).contains(file.toString());
    }
    assertThat(Files.readString(maps)).doesNotContain(file.toString());
  }

  @Test
  void theWriterInsistsOnOrderAndCompleteness() throws IOException {
    Path file = folder.resolve("order.safetensors");
    Files.writeString(file, "what was there before");
    List<SafetensorsWriter.Declaration> declarations =
        List.of(
            new SafetensorsWriter.Declaration("a", ElementType.U8, Shape.of(2)),
            new SafetensorsWriter.Declaration("b", ElementType.U8, Shape.of(1)));
    try (SafetensorsWriter writer = SafetensorsWriter.create(file, Map.of(), declarations)) {
      assertThatThrownBy(() -> writer.write("b", ByteBuffer.allocate(1)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("expected tensor 'a'");
      assertThatThrownBy(() -> writer.write("a", ByteBuffer.allocate(3)))
          .isInstanceOf(IllegalStateException.class);
      writer.write("a", ByteBuffer.allocate(2));
      assertThatThrownBy(writer::finish)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("'b'");
    }
    assertThat(Files.readString(file)).isEqualTo("what was there before");
    assertThat(listFolder()).containsExactly("order.safetensors");
  }

  @Test
  void theWriterRefusesNamesThatWouldNotBeReadBack() {
    Path file = folder.resolve("names.safetensors");
    var a = new SafetensorsWriter.Declaration("a", ElementType.U8, Shape.of(1));
    var reserved = new SafetensorsWriter.Declaration("__metadata__", ElementType.U8, Shape.of(1));
    assertThatThrownBy(() -> SafetensorsWriter.create(file, Map.of(), List.of(a, a)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> SafetensorsWriter.create(file, Map.of(), List.of(reserved)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void dataStartsAtACacheLine() throws IOException {
    for (int extra = 0; extra < 70; extra++) {
      Path file = folder.resolve("aligned.safetensors");
      SafetensorsWriter.write(
          file, Map.of(), Map.of("n".repeat(1 + extra), Tensor.ofFloats(new float[1], 1)));
      try (SafetensorsFile open = SafetensorsFile.open(file)) {
        assertThat(open.tensors().values().iterator().next().offset() % 64).isZero();
      }
    }
  }

  @Test
  void shardsAreReadByTheirIndex() throws IOException {
    writeShards();
    Path index = index("{'weight_map':{'a':'1.safetensors','b':'2.safetensors'}}");
    try (TensorSource open = Safetensors.open(folder)) {
      assertThat(open.files()).hasSize(2);
      assertThat(open.tensors().keySet()).containsExactly("a", "b");
      assertThat(open.tensor("b").toFloats()).containsExactly(2f);
      ByteBuffer four = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
      open.read("a", 0, four);
      assertThat(four.getFloat(0)).isEqualTo(1f);
      open.checkUnchanged();
      assertThatThrownBy(() -> open.tensor("c")).isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(index).exists();
  }

  private void writeShards() throws IOException {
    for (int i = 1; i <= 2; i++) {
      SafetensorsWriter.write(
          folder.resolve(i + ".safetensors"),
          Map.of(),
          Map.of(i == 1 ? "a" : "b", Tensor.ofFloats(new float[] {i}, 1)));
    }
  }

  private Path index(String json) throws IOException {
    return Files.writeString(folder.resolve("x.safetensors.index.json"), json.replace('\'', '"'));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{}",
        "{'weight_map':{}}",
        "{'weight_map':[]}",
        "{'weight_map':{'a':1}}",
        "{'weight_map':{'a':'1.safetensors','b':'1.safetensors'}}",
        "{'weight_map':{'a':'1.safetensors','b':'2.safetensors','c':'2.safetensors'}}",
        "{'weight_map':{'b':'2.safetensors','a':'2.safetensors'}}",
        "{'weight_map':{'a':'1.safetensors','b':'../2.safetensors'}}",
        "{'weight_map':{'a':'1.safetensors','b':'/2.safetensors'}}",
        "{'weight_map':{'a':'1.safetensors','b':'.'}}",
        "{'weight_map':{'a':'1.safetensors','b':'\\u0000'}}",
        "{'weight_map':{'a':'1.safetensors','a':'1.safetensors','b':'2.safetensors'}}"
      })
  void indicesThatLieAreRefused(String json) throws IOException {
    writeShards();
    Path index = index(json);
    assertThatThrownBy(() -> Safetensors.open(index).close())
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(folder.toString());
  }

  @Test
  void aShardWithMoreThanTheIndexListsIsRefused() throws IOException {
    writeShards();
    SafetensorsWriter.write(
        folder.resolve("2.safetensors"),
        Map.of(),
        Map.of("b", Tensor.ofFloats(new float[1], 1), "a", Tensor.ofFloats(new float[1], 1)));
    Path index = index("{'weight_map':{'a':'1.safetensors','b':'2.safetensors'}}");
    assertThatThrownBy(() -> ShardedSafetensors.open(index))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("2.safetensors", "'a'", "'1.safetensors'");
  }

  @Test
  void aMissingShardIsAnIoException() throws IOException {
    writeShards();
    Files.delete(folder.resolve("2.safetensors"));
    Path index = index("{'weight_map':{'a':'1.safetensors','b':'2.safetensors'}}");
    assertThatThrownBy(() -> Safetensors.open(index))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("2.safetensors");
  }

  @Test
  void foldersAreSearchedByTheUsualNames() throws IOException {
    assertThatThrownBy(() -> Safetensors.open(folder))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessageContaining("no .safetensors or .gguf file");
    writeShards();
    assertThatThrownBy(() -> Safetensors.open(folder))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("one set of weights");
    Files.move(folder.resolve("2.safetensors"), folder.resolve("model.safetensors"));
    try (TensorSource open = Safetensors.open(folder)) {
      assertThat(open.tensors()).containsOnlyKeys("b");
    }
  }

  @Test
  void zerosBecomeHoles() throws IOException {
    Path file = folder.resolve("holes.safetensors");
    ByteArrayOutputStream expected = new ByteArrayOutputStream();
    byte[] block = new byte[300_000];
    for (int i = 0; i < 5; i++) {
      block[i * 50_000] = (byte) (i % 2);
      expected.write(block);
    }
    ByteBuffer all = ByteBuffer.wrap(expected.toByteArray());
    Tensor tensor = Tensor.view(ElementType.U8, Shape.of(all.remaining()), all, "blocks");
    SafetensorsWriter.write(file, Map.of(), Map.of("a", tensor));
    try (SafetensorsFile open = SafetensorsFile.open(file)) {
      assertThat(open.tensor("a").data()).isEqualTo(all);
    }
  }
}
