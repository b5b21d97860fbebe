package io.github.urae.image;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageFormatTest {

  private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

  @TempDir Path folder;

  private static RgbImage picture() {
    int[] pixels = new int[48 * 32];
    Random random = new Random(1);
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = 0x404040 + 0x010203 * (i % 48) + random.nextInt(4);
    }
    return RgbImage.of(48, 32, pixels);
  }

  private static Map<String, String> texts(int length) {
    Map<String, String> texts = new LinkedHashMap<>();
    texts.put("prompt", "ein roter Kreis, ü 日本 🙂\n\"second\" line");
    texts.put("long", "0123456789".repeat(length / 10));
    return texts;
  }

  @ParameterizedTest
  @EnumSource
  void pictureAndTextsThereAndBack(ImageFormat format) throws IOException {
    for (int length : new int[] {0, 10, 200_000}) {
      Path file = folder.resolve("picture");
      try (OutputStream out = Files.newOutputStream(file)) {
        format.write(picture(), texts(length), out);
      }
      assertThat(ImageFormat.texts(file)).isEqualTo(texts(length));
      RgbImage read = RgbImage.read(file);
      if (format == ImageFormat.JPEG) {
        assertThat(largestDifference(read, picture())).isBetween(1, 24);
      } else {
        assertThat(read).isEqualTo(picture());
      }
    }
  }

  private static int largestDifference(RgbImage a, RgbImage b) {
    int most = 0;
    for (int y = 0; y < a.height(); y++) {
      for (int x = 0; x < a.width(); x++) {
        for (int shift = 0; shift < 24; shift += 8) {
          int difference = (a.pixel(x, y) >> shift & 0xFF) - (b.pixel(x, y) >> shift & 0xFF);
          most = Math.max(most, Math.abs(difference));
        }
      }
    }
    return most;
  }

  @ParameterizedTest
  @EnumSource
  void picturesWithoutTexts(ImageFormat format) throws IOException {
    Path file = folder.resolve("picture");
    try (OutputStream out = Files.newOutputStream(file)) {
      format.write(picture(), Map.of(), out);
    }
    assertThat(ImageFormat.texts(file)).isEmpty();
    assertThat(RgbImage.read(file).width()).isEqualTo(48);
  }

  @Test
  void namesTellTheFormat() {
    assertThat(ImageFormat.of(Path.of("a.b.PNG"))).isEqualTo(ImageFormat.PNG);
    assertThat(ImageFormat.of(Path.of("x/a.jpg"))).isEqualTo(ImageFormat.JPEG);
    assertThat(ImageFormat.of(Path.of("a.Jpeg"))).isEqualTo(ImageFormat.JPEG);
    assertThat(ImageFormat.of(Path.of("a.tif"))).isEqualTo(ImageFormat.TIFF);
    assertThat(ImageFormat.of(Path.of("a.WebP"))).isEqualTo(ImageFormat.WEBP);
    for (String name : List.of("a", "a.gif", "png", "a.png/b")) {
      assertThatThrownBy(() -> ImageFormat.of(Path.of(name)))
          .isInstanceOf(InvalidRequestException.class)
          .hasMessageContaining("[.png, .jpg, .jpeg, .tif, .tiff, .webp]");
    }
  }

  private Path png(byte[]... chunks) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes(SIGNATURE);
    for (byte[] chunk : chunks) {
      bytes.writeBytes(chunk);
    }
    return Files.write(folder.resolve("a.png"), bytes.toByteArray());
  }

  private static byte[] chunk(String type, byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    out.writeInt(content.length);
    CRC32 sum = new CRC32();
    sum.update(type.getBytes(ISO_8859_1));
    sum.update(content);
    out.write(type.getBytes(ISO_8859_1));
    out.write(content);
    out.writeInt((int) sum.getValue());
    return bytes.toByteArray();
  }

  private static byte[] deflated(byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DeflaterOutputStream out = new DeflaterOutputStream(bytes)) {
      out.write(content);
    }
    return bytes.toByteArray();
  }

  private static byte[] joined(byte[]... parts) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Arrays.stream(parts).forEach(bytes::writeBytes);
    return bytes.toByteArray();
  }

  @Test
  void whatOtherProgramsWriteIsRead() throws IOException {
    byte[] german = "grün".getBytes(ISO_8859_1);
    byte[] japanese = "日本".getBytes(UTF_8);
    Path file =
        png(
            chunk("IHDR", new byte[13]),
            chunk("tEXt", joined("parameters\0".getBytes(UTF_8), german)),
            chunk("zTXt", joined("packed\0\0".getBytes(UTF_8), deflated(german))),
            chunk("iTXt", joined("plain\0\0\0de\0Wort\0".getBytes(UTF_8), japanese)),
            chunk("IDAT", new byte[100]),
            chunk("iTXt", joined("both\0\1\0\0\0".getBytes(UTF_8), deflated(japanese))),
            chunk("IEND", new byte[0]));
    assertThat(ImageFormat.texts(file))
        .isEqualTo(Map.of("parameters", "grün", "packed", "grün", "plain", "日本", "both", "日本"));
  }

  @Test
  void aForeignCommentIsAComment() throws IOException {
    byte[] words = "made by hand".getBytes(UTF_8);
    byte[] jpeg =
        joined(
            new byte[] {(byte) 0xFF, (byte) 0xD8, (byte) 0xFF, (byte) 0xFE, 0, 14},
            words,
            new byte[] {(byte) 0xFF, (byte) 0xD9});
    Path file = Files.write(folder.resolve("a.jpg"), jpeg);
    assertThat(ImageFormat.texts(file)).isEqualTo(Map.of("comment", "made by hand"));
  }

  @Test
  void aForeignWebpTellsItsDescription() throws IOException {
    byte[] tiff =
        joined(
            "MM\0*\0\0\0\b\0\1".getBytes(ISO_8859_1),
            new byte[] {1, 14, 0, 2, 0, 0, 0, 5, 0, 0, 0, 26, 0, 0, 0, 0},
            "made\0".getBytes(ISO_8859_1));
    byte[] marked = joined("Exif\0\0".getBytes(ISO_8859_1), tiff);
    for (byte[] exif : List.of(tiff, marked)) {
      byte[] pieces =
          joined(piece("ICCP", new byte[3]), piece("EXIF", exif), piece("XMP ", new byte[1]));
      byte[] body = joined("WEBP".getBytes(ISO_8859_1), pieces);
      Path file =
          Files.write(folder.resolve("a"), joined(piece("RIFF", body), new byte[] {1, 2, 3}));
      assertThat(ImageFormat.texts(file)).isEqualTo(Map.of("comment", "made"));
    }
    byte[] other = joined("WEBP".getBytes(ISO_8859_1), piece("EXIF", new byte[7]));
    assertThat(ImageFormat.texts(Files.write(folder.resolve("b"), piece("RIFF", other)))).isEmpty();
    byte[] lying = joined("WEBPEXIF".getBytes(ISO_8859_1), new byte[] {0, 0, 0, 127, 'I', 'I'});
    assertRefused(Files.write(folder.resolve("c"), piece("RIFF", lying)), "cut short");
  }

  private static byte[] piece(String type, byte[] content) {
    byte[] length = new byte[4];
    for (int i = 0; i < length.length; i++) {
      length[i] = (byte) (content.length >> (8 * i));
    }
    return joined(type.getBytes(ISO_8859_1), length, content, new byte[content.length % 2]);
  }

  @Test
  void bombsAreRefused() throws IOException {
    byte[] zeros = new byte[1 << 20];
    byte[] megabyte = chunk("zTXt", joined("a\0\0".getBytes(UTF_8), deflated(zeros)));
    byte[][] many = new byte[20][];
    Arrays.fill(many, megabyte);
    assertRefused(png(many), "expected at most 16777216 bytes of texts");
    byte[] bomb = chunk("zTXt", joined("a\0\0".getBytes(UTF_8), deflated(new byte[1 << 26])));
    assertRefused(png(bomb), "expected at most 16777216 bytes of texts");
    byte[][] small = new byte[2000][];
    for (int i = 0; i < small.length; i++) {
      small[i] = chunk("tEXt", ("k" + i + "\0v").getBytes(UTF_8));
    }
    assertRefused(png(small), "expected at most 1024 texts");
    // A length that the file does not hold: nothing of that size may be allocated.
    byte[] lying = chunk("iTXt", "a\0\0\0\0\0x".getBytes(UTF_8));
    lying[0] = (byte) 0xFF;
    assertRefused(png(lying), "expected at most 16777216 bytes of texts");
    lying[0] = 0;
    lying[1] = (byte) 0xF0;
    assertRefused(png(lying), "cut short");
  }

  @Test
  void damagedChunksAreRefused() throws IOException {
    byte[] text = chunk("tEXt", "a\0b".getBytes(UTF_8));
    text[text.length - 1]++;
    assertRefused(png(text), "checksum does not fit");
    assertRefused(png(chunk("tEXt", "a".getBytes(UTF_8))), "has no end of its names");
    assertRefused(png(chunk("iTXt", "a\0\0\0b".getBytes(UTF_8))), "has no end of its names");
    assertRefused(png(chunk("zTXt", "a\0\0xyz".getBytes(UTF_8))), "cannot be unpacked");
    byte[] cut = deflated(new byte[1000]);
    assertRefused(
        png(chunk("zTXt", joined("a\0\0".getBytes(UTF_8), Arrays.copyOf(cut, 5)))), "cut short");
    assertRefused(png(chunk("IHDR", new byte[13])), "cut short");
    assertRefused(png(), "cut short");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "GIF89a", "\u00FF\u00D8", "\u00FF\u00D8xx", "II*\0", "MM\0*ab"})
  void otherFilesAreRefused(String content) throws IOException {
    assertRefused(Files.write(folder.resolve("b"), content.getBytes(ISO_8859_1)), "");
  }

  @Test
  void cutFilesAreRefusedOrRead() throws IOException {
    for (ImageFormat format : ImageFormat.values()) {
      ByteArrayOutputStream whole = new ByteArrayOutputStream();
      format.write(picture(), texts(10), whole);
      for (int length = 1; length < whole.size(); length += 7) {
        Path file = Files.write(folder.resolve("c"), Arrays.copyOf(whole.toByteArray(), length));
        try {
          ImageFormat.texts(file);
        } catch (FileFormatException e) {
          assertThat(e).hasMessageContaining(file.toString());
        }
      }
    }
  }

  private static void assertRefused(Path file, String message) {
    assertThatThrownBy(() -> ImageFormat.texts(file))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining(message);
  }
}
