package io.github.urae.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.image.internal.WebpEncoder;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Map;
import java.util.Random;
import java.util.function.IntBinaryOperator;
import org.junit.jupiter.api.Test;

/** Pictures there and back, through the decoder that reads other programs' files. */
class WebpEncoderTest {

  private static byte[] written(RgbImage picture) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    WebpEncoder.write(picture.toBufferedImage(), Map.of(), out);
    return out.toByteArray();
  }

  private static RgbImage read(byte[] file) throws IOException {
    return RgbImage.read(new ByteArrayInputStream(file), "a.webp");
  }

  private static RgbImage picture(int width, int height, IntBinaryOperator pixel) {
    int[] pixels = new int[width * height];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = pixel.applyAsInt(i % width, i / width);
    }
    return RgbImage.of(width, height, pixels);
  }

  private static void assertKept(RgbImage picture, String kind) throws IOException {
    assertThat(read(written(picture))).as(kind).isEqualTo(picture);
  }

  @Test
  void picturesOfAllKindsAreKept() throws IOException {
    long seed = new Random().nextLong();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    int[][] sizes = {
      {1, 1}, {1, 2}, {2, 1}, {1, 40}, {40, 1}, {15, 17}, {16, 16}, {33, 31}, {300, 7}, {7, 300}
    };
    for (int[] size : sizes) {
      int width = size[0];
      int height = size[1];
      String kind = width + "x" + height + ", seed " + seed + ": ";
      assertKept(picture(width, height, (x, y) -> 0), kind + "black");
      assertKept(picture(width, height, (x, y) -> 0xFFFFFF), kind + "white");
      assertKept(picture(width, height, (x, y) -> random.nextInt()), kind + "noise");
      assertKept(picture(width, height, (x, y) -> x * 0x030201 + y * 0x020300), kind + "slope");
      assertKept(picture(width, height, (x, y) -> x / 9 * 0x3F7F1F), kind + "stripes");
      assertKept(
          picture(width, height, (x, y) -> (x * y + random.nextInt(3)) * 0x010101),
          kind + "texture");
      assertKept(
          picture(width, height, (x, y) -> random.nextInt(20) == 0 ? random.nextInt() : 0x8090A0),
          kind + "dots");
      assertKept(picture(width, height, (x, y) -> (x ^ y) & 255), kind + "one colour");
    }
  }

  /** Up to longer ones than a symbol can tell. */
  @Test
  void repetitionsOfAllLengthsAreKept() throws IOException {
    assertKept(picture(16_384, 2, (x, y) -> y * 0x123456), "longest");
    for (int length = 1; length < 4200; length = length * 9 / 8 + 1) {
      int every = length;
      assertKept(picture(5000, 1, (x, y) -> x % every == 0 ? 0x0A141E : 0), "every " + length);
    }
  }

  /** Levels as often as Fibonacci's numbers make codes of one bit more each, which is too long. */
  @Test
  void rareLevelsDoNotGetTooLongACode() throws IOException {
    int[] pixels = new int[16_384];
    int at = 1;
    int before = 0;
    int count = 1;
    for (int step = 1; at + count < pixels.length; step++) {
      for (int i = 0; i < count; i++) {
        pixels[at] = (pixels[at - 1] + step * 3) & 0xFF;
        at++;
      }
      int next = before + count;
      before = count;
      count = next;
    }
    // Mixed, so that they do not repeat.
    int[] steps = new int[at];
    for (int i = 1; i < at; i++) {
      steps[i] = pixels[i] - pixels[i - 1];
    }
    Random random = new Random(1);
    for (int i = at - 1; i > 1; i--) {
      int other = 1 + random.nextInt(i);
      int step = steps[i];
      steps[i] = steps[other];
      steps[other] = step;
    }
    for (int i = 1; i < at; i++) {
      pixels[i] = (pixels[i - 1] + steps[i]) & 0xFF;
    }
    assertKept(RgbImage.of(pixels.length, 1, pixels), "Fibonacci");
  }

  @Test
  void packsBetterThanPng() throws IOException {
    RgbImage picture =
        picture(
            256,
            256,
            (x, y) -> {
              int level = (int) (127 + 100 * Math.sin(x / 20.0) * Math.cos(y / 31.0));
              return level << 16 | (255 - level) << 8 | (level / 2 + (x * 7 ^ y * 13) % 5);
            });
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageFormat.PNG.write(picture, Map.of(), png);
    assertThat(written(picture).length).isLessThan(png.size());
  }

  @Test
  void whatNoFileCanHoldIsRefused() {
    BufferedImage wide = new BufferedImage(16_385, 1, BufferedImage.TYPE_INT_RGB);
    assertThatThrownBy(() -> WebpEncoder.write(wide, Map.of(), new ByteArrayOutputStream()))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("16384")
        .hasMessageContaining("16385x1");
  }
}
