package io.github.urae.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.UraeException;
import io.github.urae.testkit.TestData;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Pictures in the forms that people hold, and in forms that were made to do harm. */
class PictureDecoderTest {

  /** What would take for ever takes longer on the slowest machine, too. */
  private static final Duration SOON = Duration.ofMinutes(3);

  @TempDir Path folder;

  static Stream<JsonNode> pictures() throws IOException {
    List<JsonNode> rows = new ArrayList<>();
    new ObjectMapper().readTree(TestData.path("golden/pictures.json").toFile()).forEach(rows::add);
    assertThat(rows).hasSizeGreaterThan(80);
    return rows.stream();
  }

  /**
   * What diffusers' load_image makes of them: exact where nothing was lost, within 3 in JPEG and
   * lossy WebP, and where a palette has 16 bits.
   */
  @ParameterizedTest
  @MethodSource("pictures")
  void readsWhatPillowReads(JsonNode row) throws IOException {
    String name = row.get("file").textValue();
    RgbImage image = RgbImage.read(TestData.path("pictures/" + name));
    assertThat(image.width()).isEqualTo(row.get("width").intValue());
    assertThat(image.height()).isEqualTo(row.get("height").intValue());
    int step = row.get("step").intValue();
    byte[] expected = HexFormat.of().parseHex(row.get("pixels").textValue());
    int largest = 0;
    double sum = 0;
    int at = 0;
    for (int y = step / 2; y < image.height(); y += step) {
      for (int x = step / 2; x < image.width(); x += step) {
        for (int shift = 16; shift >= 0; shift -= 8) {
          int level = image.pixel(x, y) >> shift & 0xFF;
          int difference = Math.abs(level - Byte.toUnsignedInt(expected[at++]));
          largest = Math.max(largest, difference);
          sum += difference;
        }
      }
    }
    assertThat(at).isEqualTo(expected.length);
    System.out.printf("%-24s %d of 255%n", name, largest);
    if (name.startsWith("photo")) {
      // At edges libwebp blends the colours of neighbours, of which there is one for four pixels.
      assertThat(sum / at).as(name).isLessThan(1);
      return;
    }
    boolean exact =
        !name.endsWith(".jpg") && !name.startsWith("lossy") && !name.equals("palette.tif");
    assertThat(largest).as(name).isLessThanOrEqualTo(exact || name.equals("really-a.jpg") ? 0 : 3);
  }

  /** Pillow makes white of all but the darkest levels. */
  @Test
  void greyOf16BitsKeepsItsLevels() throws IOException {
    RgbImage image = RgbImage.read(TestData.path("pictures/grey-16.png.txt"));
    assertThat(image.pixel(1, 0)).isEqualTo((5000 >> 8) * 0x010101);
    assertThat(image.pixel(11, 7)).isEqualTo(((5000 * 11 + 190 * 7) >> 8) * 0x010101);
  }

  @Test
  void printingInksWithoutProfile() throws IOException {
    RgbImage image = RgbImage.read(TestData.path("pictures/cmyk-patches.jpg.txt"));
    int[] patches = {0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF, 0x000000, 0x808080};
    for (int i = 0; i < patches.length; i++) {
      assertThat(image.pixel(image.width() * (2 * i + 1) / 12, image.height() / 2))
          .isEqualTo(patches[i]);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0000001c6674797068656963 | HEIC",
        "000000206674797061766966 | AVIF",
        "0000002066747970697336d0 | film",
        "3c73766720786d6c6e73 | SVG",
        "3c3f786d6c2076657273696f6e3d22312e30223f3e3c7376673e | SVG",
        "0000000c4a584c200d0a870a | JPEG XL",
        "ff0a00000000 | JPEG XL",
        "0000000c6a5020200d0a870a | JPEG 2000",
        "38425053 | Photoshop",
        "255044462d312e37 | PDF",
        "49492b00080000 | BigTIFF",
        "3c21444f43545950452068746d6c3e | HTML page",
        "76657273696f6e2068747470733a2f2f6769742d6c6673 | Git LFS",
        "50360a | Netpbm",
        "00000100 | icon",
        "'' | empty file",
        "00000000000000000000 | something else",
      })
  void otherKindsAreNamed(String start, String name) {
    byte[] file = HexFormat.of().parseHex(start);
    assertThatThrownBy(() -> RgbImage.read(new ByteArrayInputStream(file), "start.png"))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("start.png")
        .hasMessageContaining(name);
  }

  /** A few bytes that claim a picture larger than memory: the header alone is read. */
  @Test
  void sizesAreCheckedBeforeAnythingIsDecoded() throws IOException {
    byte[] bomb = png(16384, 16384, new byte[0]);
    assertThatThrownBy(() -> read(bomb))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("16384x16384");
    assertThatThrownBy(() -> read(png(Integer.MAX_VALUE, Integer.MAX_VALUE, new byte[0])))
        .isInstanceOf(FileFormatException.class);
    assertThatThrownBy(() -> read(png(-1, 5, new byte[0]))).isInstanceOf(FileFormatException.class);
    assertThatThrownBy(() -> read(png(0, 5, new byte[0]))).isInstanceOf(FileFormatException.class);
    for (String name :
        List.of("rgb.jpg", "lossless.webp", "lossy.webp", "rgb.tif", "rgb.bmp", "animated.gif")) {
      Path file = TestData.path("pictures/" + name);
      ReadLimits small = ReadLimits.DEFAULTS.withMaxPixels(95);
      assertThatThrownBy(() -> RgbImage.read(file, small))
          .as(name)
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining("at most 95 pixels");
      assertThatThrownBy(() -> RgbImage.read(file, new ReadLimits(1000, 40, 1, 1)))
          .as(name)
          .isInstanceOf(FileFormatException.class)
          .hasMessageContaining("40 bytes");
    }
    assertThatThrownBy(() -> new ReadLimits(0, 1, 1, 1))
        .isInstanceOf(InvalidRequestException.class);
  }

  /** Chunks that claim gigabytes, or inflate to them, beside the pixels of a small picture. */
  @Test
  void whatPixelsDoNotNeedIsNotUnpacked() throws IOException {
    byte[] zeros = deflated(200 << 20);
    for (String type : List.of("iCCP", "zTXt", "iTXt")) {
      byte[] head =
          ("XML:com.adobe.xmp\0" + (type.equals("iTXt") ? "\1\0\0\0" : "\0"))
              .getBytes(StandardCharsets.ISO_8859_1);
      byte[] content = Arrays.copyOf(head, head.length + zeros.length);
      System.arraycopy(zeros, 0, content, head.length, zeros.length);
      byte[] file = png(2, 1, chunk(type, content));
      assertThat(assertTimeoutPreemptively(SOON, () -> read(file)).pixel(1, 0)).isEqualTo(0x28323C);
      Path path = Files.write(folder.resolve("texts.png"), file);
      if (!type.equals("iCCP")) {
        assertThatThrownBy(() -> ImageFormat.texts(path))
            .isInstanceOf(FileFormatException.class)
            .hasMessageContaining("bytes of texts");
      }
    }
    byte[] claims = png(2, 1, chunk("tEXt", new byte[10]));
    claims[33] = 0x7F; // The length of the text.
    assertThatThrownBy(() -> read(claims))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining("cut short");
  }

  @Test
  void limitsOnTexts() throws IOException {
    Path file =
        Files.write(
            folder.resolve("a.png"),
            png(2, 1, chunk("tEXt", "a\0four".getBytes(StandardCharsets.ISO_8859_1))));
    assertThat(ImageFormat.texts(file)).isEqualTo(Map.of("a", "four"));
    assertThatThrownBy(() -> ImageFormat.texts(file, new ReadLimits(1, 1, 5, 10)))
        .isInstanceOf(FileFormatException.class);
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void pipesAndDevicesAreNotRead() throws IOException, InterruptedException {
    Path pipe = folder.resolve("pipe.png");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    for (Path file : List.of(pipe, Path.of("/dev/zero"))) {
      assertTimeoutPreemptively(
          SOON,
          () -> {
            assertThatThrownBy(() -> RgbImage.read(file))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("pipe, socket or device");
            assertThatThrownBy(() -> ImageFormat.texts(file))
                .isInstanceOf(FileFormatException.class)
                .hasMessageContaining("pipe, socket or device");
          });
    }
  }

  @Test
  void truncatedFilesAreRefused() throws IOException {
    for (String name :
        List.of(
            "rgb.png",
            "rgb.jpg",
            "progressive.jpg",
            "cmyk.jpg",
            "lossless.webp",
            "lossy.webp",
            "lzw.tif",
            "rgb.bmp")) {
      byte[] whole = Files.readAllBytes(TestData.path("pictures/" + name));
      for (int length : new int[] {whole.length - 3, whole.length / 2, 40, 9, 1}) {
        assertThatThrownBy(() -> read(Arrays.copyOf(whole, length)))
            .as("%s, %d of %d bytes", name, length, whole.length)
            .isInstanceOf(FileFormatException.class)
            .hasMessageContaining("start");
      }
    }
  }

  /** The decoder goes on behind the end of the data, symbol by symbol. */
  @Test
  void claimedPixelsTakeNoMinutes() throws IOException {
    byte[] file = Files.readAllBytes(TestData.path("pictures/lossless-alpha.webp"));
    // 22 million pixels: more bits of the width and of the height.
    file[22] = (byte) 200;
    file[24] = 74;
    assertTimeoutPreemptively(SOON, () -> assertThat(read(file).width()).isGreaterThan(2000));
  }

  /** Whatever bytes say: a picture or a refusal, and soon. */
  @Test
  void damagedFilesAreReadOrRefused() throws IOException {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    List<String> names = new ArrayList<>();
    pictures().forEach(row -> names.add(row.get("file").textValue()));
    for (int round = 0; round < 2000; round++) {
      String name = names.get(random.nextInt(names.size()));
      byte[] file = Files.readAllBytes(TestData.path("pictures/" + name));
      for (int i = 1 + random.nextInt(4); i > 0; i--) {
        int at = random.nextInt(file.length);
        file[at] =
            random.nextBoolean()
                ? (byte) random.nextInt()
                : (byte) (file[at] ^ (1 << random.nextInt(8)));
      }
      byte[] mutated = name.endsWith("png") ? withChecksums(file) : file;
      assertTimeoutPreemptively(
          SOON,
          () -> {
            try {
              read(mutated);
            } catch (UraeException e) {
              assertThat(e).hasMessageContaining("start");
            }
          },
          () -> name + ", seed " + seed);
    }
  }

  private static RgbImage read(byte[] file) throws IOException {
    return RgbImage.read(new ByteArrayInputStream(file), "start");
  }

  /** Mends the checksums of a PNG file, so that what they guard is reached. */
  private static byte[] withChecksums(byte[] file) {
    int at = 8;
    while (at + 12 <= file.length) {
      int length =
          (file[at] & 0xFF) << 24
              | (file[at + 1] & 0xFF) << 16
              | (file[at + 2] & 0xFF) << 8
              | (file[at + 3] & 0xFF);
      if (length < 0 || length > file.length - at - 12) {
        break;
      }
      CRC32 sum = new CRC32();
      sum.update(file, at + 4, 4 + length);
      for (int i = 0; i < 4; i++) {
        file[at + 8 + length + i] = (byte) (sum.getValue() >> (24 - 8 * i));
      }
      at += 12 + length;
    }
    return file;
  }

  /** A picture of any claimed size; of 2x1 it is whole. */
  private static byte[] png(int width, int height, byte[] others) throws IOException {
    ByteArrayOutputStream header = new ByteArrayOutputStream();
    DataOutputStream numbers = new DataOutputStream(header);
    numbers.writeInt(width);
    numbers.writeInt(height);
    numbers.write(new byte[] {8, 2, 0, 0, 0});
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    file.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'});
    file.writeBytes(chunk("IHDR", header.toByteArray()));
    file.writeBytes(others);
    Deflater deflater = new Deflater();
    deflater.setInput(new byte[] {0, 10, 20, 30, 40, 50, 60});
    deflater.finish();
    byte[] data = new byte[100];
    int length = deflater.deflate(data);
    deflater.end();
    file.writeBytes(chunk("IDAT", Arrays.copyOf(data, length)));
    file.writeBytes(chunk("IEND", new byte[0]));
    return file.toByteArray();
  }

  private static byte[] chunk(String type, byte[] content) throws IOException {
    ByteArrayOutputStream chunk = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(chunk);
    out.writeInt(content.length);
    byte[] name = type.getBytes(StandardCharsets.US_ASCII);
    out.write(name);
    out.write(content);
    CRC32 sum = new CRC32();
    sum.update(name);
    sum.update(content);
    out.writeInt((int) sum.getValue());
    return chunk.toByteArray();
  }

  private static byte[] deflated(int zeros) {
    Deflater deflater = new Deflater();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] part = new byte[1 << 20];
    byte[] buffer = new byte[1 << 16];
    for (int done = 0; done < zeros; done += part.length) {
      deflater.setInput(part);
      while (!deflater.needsInput()) {
        out.write(buffer, 0, deflater.deflate(buffer));
      }
    }
    deflater.finish();
    while (!deflater.finished()) {
      out.write(buffer, 0, deflater.deflate(buffer));
    }
    deflater.end();
    return out.toByteArray();
  }
}
