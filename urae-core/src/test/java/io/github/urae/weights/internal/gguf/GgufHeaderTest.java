package io.github.urae.weights.internal.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.UraeException;
import io.github.urae.tensor.Shape;
import io.github.urae.testkit.TestData;
import io.github.urae.weights.GoldenTensors;
import io.github.urae.weights.Safetensors;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.TensorSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF files are read as gguf-py reads them, and nothing in them is believed that cannot be. */
class GgufHeaderTest {

  private static final Duration HANGS = Duration.ofMinutes(2);

  @TempDir Path folder;

  private Path write(byte[] bytes) throws IOException {
    return Files.write(Files.createTempFile(folder, "weights", ".gguf"), bytes);
  }

  private static void assertDamaged(
      Path file, Class<? extends UraeException> kind, String... words) {
    assertTimeoutPreemptively(
        HANGS,
        () ->
            assertThatThrownBy(() -> Safetensors.open(file).close())
                .isInstanceOf(kind)
                .hasMessageStartingWith(file.toString())
                .hasMessageContainingAll(words));
  }

  private void assertDamaged(GgufBytes bytes, String... words) throws IOException {
    assertDamaged(write(bytes.build()), FileFormatException.class, words);
  }

  private void assertUnsupported(GgufBytes bytes, String... words) throws IOException {
    assertDamaged(write(bytes.build()), ModelException.class, words);
  }

  /** One matrix of two rows, one vector. */
  private static GgufBytes sound() {
    return new GgufBytes()
        .text("general.architecture", "flux")
        .tensor("a.weight", GgmlType.Q8_0, new byte[2 * 2 * 34], 64, 2)
        .tensor("a.bias", GgmlType.F32, new byte[8], 2);
  }

  private static GgufBytes flux() {
    return new GgufBytes().text("general.architecture", "flux");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "flux-wide-K",
        "flux-tiny-Q4_0",
        "flux-cut-Q5_1-Q5_0-Q4_1-sdcpp",
        "flux-mini-diffusers-Q4_0",
        "t5-encoder-Q8_0"
      })
  void tensorsAreThoseOfOfficialPackages(String name) throws IOException {
    Path file = TestData.path("quantised/files/" + name + ".gguf");
    try (TensorSource source = Safetensors.open(file)) {
      GoldenTensors.assertRead(source, name);
    }
  }

  @Test
  void tensorsAndMetadataOfAFile() throws IOException {
    byte[] all =
        GgufBytes.joined(
            GgufBytes.string("a"), GgufBytes.int32(9), GgufBytes.int32(8), GgufBytes.int64(1));
    GgufBytes bytes =
        sound()
            .entry(GgufBytes.joined(all, GgufBytes.string("piece")))
            .entry(GgufBytes.joined(GgufBytes.string("b"), GgufBytes.int32(0), new byte[] {-1}))
            .entry(GgufBytes.joined(GgufBytes.string("c"), GgufBytes.int32(1), new byte[] {-1}))
            .entry(GgufBytes.joined(GgufBytes.string("d"), GgufBytes.int32(2), new byte[] {-1, -1}))
            .entry(GgufBytes.joined(GgufBytes.string("e"), GgufBytes.int32(3), new byte[] {-1, -1}))
            .u32("f", -1)
            .entry(GgufBytes.joined(GgufBytes.string("g"), GgufBytes.int32(5), GgufBytes.int32(-1)))
            .entry(
                GgufBytes.joined(
                    GgufBytes.string("h"),
                    GgufBytes.int32(6),
                    GgufBytes.int32(Float.floatToIntBits(1.5f))))
            .entry(GgufBytes.joined(GgufBytes.string("i"), GgufBytes.int32(7), new byte[] {1}))
            .entry(
                GgufBytes.joined(GgufBytes.string("j"), GgufBytes.int32(10), GgufBytes.int64(-1)))
            .entry(
                GgufBytes.joined(GgufBytes.string("k"), GgufBytes.int32(11), GgufBytes.int64(-1)))
            .entry(
                GgufBytes.joined(
                    GgufBytes.string("l"),
                    GgufBytes.int32(12),
                    GgufBytes.int64(Double.doubleToLongBits(2.5))));
    Path file = write(bytes.build());
    try (TensorSource source = Safetensors.open(file)) {
      assertThat(source.metadata())
          .containsEntry("general.architecture", "flux")
          .containsEntry("b", "255")
          .containsEntry("c", "-1")
          .containsEntry("d", "65535")
          .containsEntry("e", "-1")
          .containsEntry("f", "4294967295")
          .containsEntry("g", "-1")
          .containsEntry("h", "1.5")
          .containsEntry("i", "true")
          .containsEntry("j", "18446744073709551615")
          .containsEntry("k", "-1")
          .containsEntry("l", "2.5")
          .doesNotContainKey("a");
      assertThat(source.tensors()).containsOnlyKeys("a.weight", "a.bias");
      TensorInfo weight = source.tensors().get("a.weight");
      assertThat(weight.shape()).isEqualTo(Shape.of(2, 64));
      assertThat(weight.encoding()).isSameAs(GgmlType.Q8_0.encoding());
      assertThat(weight.offset() % 32).isZero();
      assertThat(source.tensor("a.bias").toFloats()).isEqualTo(new float[2]);
    }
    GgufMetadata metadata = GgufMetadata.read(file);
    assertThat(metadata.strings("a")).containsExactly("piece");
    assertThat(metadata.integer("k")).contains(-1L);
    assertThat(metadata.flag("i")).contains(true);
    assertThat(metadata.text("none")).isEmpty();
    assertThat(metadata.floats("none")).isEmpty();
    assertThatThrownBy(() -> metadata.integer("j"))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("'j'", "an integer", "18446744073709551615");
    assertThatThrownBy(() -> metadata.bytes("a"))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("'a'", "an array of U8 or I8", "an array of STRING");
    assertThatThrownBy(() -> metadata.text("f"))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContainingAll("'f'", "a string", "U32 4294967295");
  }

  @Test
  void whatWritersDiffersIn() throws IOException {
    // Version 2; tensors listed in another order than they lie in; nothing fills the file up after
    // the last; an alignment of its own; a scalar; bytes that belong to no tensor.
    GgufBytes bytes = new GgufBytes();
    bytes.version = 2;
    bytes.alignment = 64;
    bytes
        .u32("general.alignment", 64)
        .listed("second", GgmlType.F32.id(), 64, 3, 1)
        .listed("first", GgmlType.F16.id(), 0, 4)
        .listed("scalar", GgmlType.F32.id(), 128)
        .listed("text_model.embeddings.position_ids", 26, 192, 77)
        .data(132);
    try (TensorSource source = Safetensors.open(write(bytes.build()))) {
      assertThat(source.tensors().keySet()).containsExactly("first", "second", "scalar");
      assertThat(source.tensors().get("second").shape()).isEqualTo(Shape.of(1, 3));
      assertThat(source.tensors().get("scalar").shape()).isEqualTo(Shape.of());
    }
  }

  @Test
  void aFolderOrAnotherNameLeadsToTheFile() throws IOException {
    Files.write(folder.resolve("flux1-dev-Q8_0.gguf"), sound().build());
    try (TensorSource source = Safetensors.open(folder)) {
      assertThat(source.tensors()).hasSize(2);
    }
    Path blob = Files.write(folder.resolve("b10b"), sound().build());
    try (TensorSource source = Safetensors.open(blob)) {
      assertThat(source.tensors()).hasSize(2);
    }
  }

  @Test
  void otherFilesUnderTheName() throws IOException {
    assertDamaged(write(new byte[0]), FileFormatException.class, "GGUF", "only 0 bytes");
    assertDamaged(write("GG".getBytes(StandardCharsets.UTF_8)), FileFormatException.class, "GGUF");
    GgufBytes bytes = sound();
    bytes.magic = 0x4C4D4747;
    assertDamaged(bytes, "expected a GGUF file", "a GGML file");
    assertDamaged(
        write("<html><body>Sign in".getBytes(StandardCharsets.UTF_8)),
        FileFormatException.class,
        "HTML");
  }

  @Test
  void versions() throws IOException {
    for (int version : new int[] {0, 1, 4, 1 << 24, 3 << 24, -1}) {
      GgufBytes bytes = sound();
      bytes.version = version;
      assertUnsupported(
          bytes,
          "expected GGUF of version 2 or 3",
          version == 3 << 24 ? "version 3 in big-endian order" : "found version");
    }
  }

  @Test
  void everyCutIsNoticed() throws IOException {
    byte[] whole = sound().build();
    for (int length = 0; length < whole.length; length++) {
      assertDamaged(write(Arrays.copyOf(whole, length)), FileFormatException.class, "download");
    }
  }

  @Test
  void countsThatTheFileCannotHold() throws IOException {
    for (long count : new long[] {1 << 20, 1L << 40, 1L << 62, -1, Long.MIN_VALUE}) {
      GgufBytes bytes = sound();
      bytes.tensorCount = count;
      assertDamaged(bytes, Long.toUnsignedString(count) + " tensors", "at most", "download");
      bytes = sound();
      bytes.entryCount = count;
      assertDamaged(bytes, Long.toUnsignedString(count) + " metadata entries");
      byte[] key = GgufBytes.string("x");
      byte[] length = GgufBytes.int64(count);
      assertDamaged(flux().entry(length), "bytes in the key of metadata entry 1");
      assertDamaged(
          flux().entry(GgufBytes.joined(key, GgufBytes.int32(8), length)),
          "bytes in the metadata entry 'x'");
      for (int elements : new int[] {0, 8, 10}) {
        byte[] array = GgufBytes.joined(key, GgufBytes.int32(9), GgufBytes.int32(elements), length);
        assertDamaged(flux().entry(array), "elements in the metadata entry 'x'");
      }
      assertDamaged(sound().rawTensor(length), "bytes in the name of tensor 2");
    }
  }

  @Test
  void metadataThatBreakTheFormat() throws IOException {
    byte[] key = GgufBytes.string("x");
    byte[] nested = GgufBytes.joined(GgufBytes.int32(9), GgufBytes.int64(1));
    byte[][] levels = new byte[20_000][];
    Arrays.fill(levels, nested);
    assertDamaged(
        flux().entry(GgufBytes.joined(key, GgufBytes.int32(9), GgufBytes.joined(levels))).data(100),
        "'x'",
        "found one of arrays");
    for (int type : new int[] {13, 255, -1}) {
      assertDamaged(
          flux().entry(GgufBytes.joined(key, GgufBytes.int32(type), new byte[64])),
          "'x'",
          "found " + Integer.toUnsignedString(type));
    }
    assertDamaged(
        sound().entry(GgufBytes.joined(GgufBytes.string(new byte[] {-1, -2}), new byte[8])),
        "the key of metadata entry 1 is not UTF-8");
    assertDamaged(sound().u32("x", 1).text("x", ""), "'x' is there twice");
    assertDamaged(
        new GgufBytes().u32("general.architecture", 7).listed("a", 0, 0, 1).data(4),
        "'general.architecture'",
        "expected a string, found the U32 7");
    for (int alignment : new int[] {0, 24, 33, -32}) {
      assertDamaged(
          sound().u32("general.alignment", alignment), "'general.alignment'", "power of two");
    }
    assertDamaged(
        sound().text("general.alignment", "32"), "'general.alignment'", "found the STRING 32");
  }

  @Test
  void tensorsThatCannotBe() throws IOException {
    assertDamaged(flux(), "expected tensors");
    assertDamaged(flux().listed("w", 0, 0, 0, 32).data(64), "'w'", "1 or more, found 0");
    assertDamaged(flux().listed("w", 0, 0, -32, 32).data(64), "'w'", "found 18446744073709551584");
    assertDamaged(flux().listed("w", 8, 0, 1L << 33, 1L << 33).data(64), "'w'", "impossible size");
    assertDamaged(
        flux().listed("w", 0, 0, 1L << 31, 1L << 31, 2).data(64), "'w'", "impossible size");
    assertDamaged(flux().listed("w", 0, 0, 1L << 61).data(64), "'w'");
    assertDamaged(
        flux().listed("w", 0, 0, 1, 1, 1, 1, 1).data(64), "'w'", "at most 4 dimensions, found 5");
    assertDamaged(
        flux()
            .rawTensor(
                GgufBytes.joined(GgufBytes.string("w"), GgufBytes.int32(-1), GgufBytes.int64(32)))
            .data(64),
        "'w'",
        "found 4294967295");
    assertDamaged(
        flux().listed("w", 8, 0, 40, 32).data(4096), "'w'", "rows of whole blocks", "rows of 40");
    assertDamaged(flux().listed("w", 12, 0, 32, 256).data(8192), "'w'", "256 values", "of 32");
    assertDamaged(flux().listed("w", 0, 4, 8).data(64), "'w'", "multiple of 32, found 4");
    assertDamaged(flux().listed("w", 0, -64, 8).data(64), "'w'", "found 18446744073709551552");
    assertDamaged(flux().listed("w", 0, 1L << 40, 8).data(64), "'w'", "download was not finished");
    assertDamaged(
        flux().listed("w", 0, Long.MAX_VALUE / 32 * 32, 8).data(64), "'w'", "not finished");
    assertDamaged(
        flux().listed("v", 8, 0, 32, 1).listed("w", 0, 32, 8).data(64),
        "'w': shares bytes with tensor 'v'");
    assertDamaged(
        flux().listed("w", 0, 0, 8).listed("w", 0, 32, 8).data(64), "'w'", "listed twice");
    assertDamaged(
        flux()
            .rawTensor(
                GgufBytes.joined(
                    GgufBytes.string(new byte[] {(byte) 0xC0}),
                    GgufBytes.int32(0),
                    GgufBytes.int32(0),
                    GgufBytes.int64(0)))
            .data(64),
        "the name of tensor 0 is not UTF-8");
  }

  @Test
  void typesThatAreNotReadAreNamed() throws IOException {
    for (int type = -1; type < 50; type++) {
      if (GgmlType.of(type).isEmpty()) {
        assertUnsupported(
            flux().listed("img_in.weight", type, 0, 256, 8).data(4096),
            "'img_in.weight'",
            type < 0 ? "type 4294967295" : "type " + type,
            "Q8_0");
      }
    }
    assertUnsupported(flux().listed("w", 4, 0, 32).data(64), "Q4_2 (type 4)", "has removed");
    assertUnsupported(flux().listed("w", 31, 0, 32).data(64), "Q4_0_4_4", "has removed");
    assertUnsupported(flux().listed("w", 16, 0, 256).data(66), "IQ2_XXS");
    assertUnsupported(flux().listed("w", 24, 0, 32).data(64), "I8", "integers");
    assertUnsupported(flux().listed("w", 99, 0, 32).data(64), "type 99, which is unknown");
  }

  @Test
  void anyChangedByteIsReadOrRefused() throws IOException {
    byte[] whole = Files.readAllBytes(write(sound().u32("general.alignment", 32).build()));
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    for (int round = 0; round < 400; round++) {
      byte[] changed = whole.clone();
      for (int change = random.nextInt(3); change >= 0; change--) {
        changed[random.nextInt(changed.length)] = (byte) random.nextInt(256);
      }
      Path file = Files.write(folder.resolve("changed.gguf"), changed);
      try (TensorSource source = Safetensors.open(file)) {
        for (TensorInfo tensor : source.tensors().values()) {
          int count = (int) tensor.shape().elementCount();
          source.readFloats(tensor.name(), 0, new float[count], 0, count);
        }
      } catch (UraeException e) {
        assertThat(e).as("seed %d, round %d", seed, round).hasMessageStartingWith(file.toString());
      }
    }
  }

  @Test
  void listOfLongNamesAndManyTensors() throws IOException {
    GgufBytes bytes = new GgufBytes();
    for (int i = 0; i < 5000; i++) {
      bytes.tensor("x".repeat(200) + i, GgmlType.F32, new byte[4], 1);
    }
    try (TensorSource source = Safetensors.open(write(bytes.build()))) {
      assertThat(List.copyOf(source.tensors().keySet()).get(4999)).endsWith("x4999");
    }
  }
}
