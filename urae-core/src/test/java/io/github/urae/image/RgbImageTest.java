package io.github.urae.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.testkit.TestData;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RgbImageTest {

  @TempDir Path folder;

  /** The pictures of {@code generators/resize.py}. */
  private static RgbImage picture(int width, int height) {
    int[] pixels = new int[width * height];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int red = (37 * x + 101 * y + x * y * 7) % 256;
        int green = 255 * ((x / 3 + y / 2) % 2);
        int blue = (x * x + 13 * y) % 256;
        pixels[y * width + x] = red << 16 | green << 8 | blue;
      }
    }
    return RgbImage.of(width, height, pixels);
  }

  @ParameterizedTest
  @EnumSource
  void resizesAsPillowDoes(ResizeFilter filter) throws IOException {
    String golden = "golden/" + filter.name().toLowerCase(Locale.ROOT) + ".json";
    JsonNode rows = new ObjectMapper().readTree(TestData.path(golden).toFile());
    assertThat(rows).hasSizeGreaterThan(5);
    for (JsonNode row : rows) {
      int width = row.get("target").get(0).intValue();
      int height = row.get("target").get(1).intValue();
      RgbImage resized =
          picture(row.get("source").get(0).intValue(), row.get("source").get(1).intValue())
              .resized(width, height, filter);
      assertThat(resized.width()).isEqualTo(width);
      assertThat(resized.height()).isEqualTo(height);
      int largest = 0;
      for (int i = 0; i < row.get("pixels").size(); i++) {
        int pixel = resized.pixel(i / 3 % width, i / 3 / width);
        int level = pixel >> (16 - 8 * (i % 3)) & 0xFF;
        largest = Math.max(largest, Math.abs(level - row.get("pixels").get(i).intValue()));
      }
      System.out.printf(
          "%s %s to %s: %d of 255%n", filter, row.get("source"), row.get("target"), largest);
      assertThat(largest).as("%s to %s", row.get("source"), row.get("target")).isZero();
    }
  }

  @Test
  void cutsOutParts() {
    RgbImage whole = picture(5, 4);
    RgbImage part = whole.cropped(1, 2, 3, 2);
    assertThat(part).hasToString("3x2 pixels");
    assertThat(part.pixel(0, 0)).isEqualTo(whole.pixel(1, 2));
    assertThat(part.pixel(2, 1)).isEqualTo(whole.pixel(3, 3));
    assertThat(whole.cropped(0, 0, 5, 4)).isSameAs(whole);
    for (int[] bad : new int[][] {{-1, 0, 2, 2}, {0, -1, 2, 2}, {3, 0, 3, 1}, {0, 0, 0, 1}}) {
      assertThatThrownBy(() -> whole.cropped(bad[0], bad[1], bad[2], bad[3]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("expected a part of 5x4 pixels");
    }
    assertThatThrownBy(() -> whole.cropped(1, 1, Integer.MAX_VALUE, 1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void keepsEvenColoursAndRefusesSizesOfNothing() {
    int[] grey = new int[12];
    Arrays.fill(grey, 0xFF0180);
    RgbImage even = RgbImage.of(4, 3, grey);
    RgbImage large = even.resized(50, 40);
    for (int y = 0; y < 40; y++) {
      for (int x = 0; x < 50; x++) {
        assertThat(large.pixel(x, y)).isEqualTo(0xFF0180);
      }
    }
    assertThat(even.resized(4, 3)).isEqualTo(even);
    assertThatThrownBy(() -> even.resized(0, 3)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> RgbImage.of(2, 2, grey)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void readsPicturesOfSeveralKinds() throws IOException {
    RgbImage expected = picture(20, 10);
    for (int type :
        new int[] {
          BufferedImage.TYPE_INT_RGB,
          BufferedImage.TYPE_INT_ARGB,
          BufferedImage.TYPE_3BYTE_BGR,
          BufferedImage.TYPE_4BYTE_ABGR
        }) {
      BufferedImage image = new BufferedImage(20, 10, type);
      for (int y = 0; y < 10; y++) {
        for (int x = 0; x < 20; x++) {
          image.setRGB(x, y, 0xFF000000 | expected.pixel(x, y));
        }
      }
      Path file = folder.resolve(type + ".png");
      assertThat(ImageIO.write(image, "png", file.toFile())).isTrue();
      assertThat(RgbImage.read(file)).as("type %d", type).isEqualTo(expected);
    }
  }

  @Test
  void greyStaysAsItIs() throws IOException {
    for (int type : new int[] {BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_USHORT_GRAY}) {
      BufferedImage image = new BufferedImage(2, 1, type);
      int white = type == BufferedImage.TYPE_BYTE_GRAY ? 255 : 65535;
      image.getRaster().setSample(0, 0, 0, white * 100 / 255);
      image.getRaster().setSample(1, 0, 0, white);
      Path file = folder.resolve("grey.png");
      assertThat(ImageIO.write(image, "png", file.toFile())).isTrue();
      RgbImage read = RgbImage.read(file);
      assertThat(read.pixel(0, 0)).isEqualTo(0x646464);
      assertThat(read.pixel(1, 0)).isEqualTo(0xFFFFFF);
    }
  }

  @Test
  void transparencyIsRefused() throws IOException {
    BufferedImage image = new BufferedImage(3, 2, BufferedImage.TYPE_INT_ARGB);
    for (int i = 0; i < 6; i++) {
      image.setRGB(i % 3, i / 3, 0xFF102030);
    }
    image.setRGB(2, 1, 0x7F102030);
    Path file = folder.resolve("alpha.png");
    ImageIO.write(image, "png", file.toFile());
    assertThatThrownBy(() -> RgbImage.read(file))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining("opacity 127 of 255 at column 2, row 1");
  }

  @Test
  void filesThatAreNoPicturesAreRefused() throws IOException {
    assertThatThrownBy(() -> RgbImage.read(folder.resolve("missing.png")))
        .isInstanceOf(NoSuchFileException.class);
    Path text = Files.writeString(folder.resolve("text.png"), "no picture");
    assertThatThrownBy(() -> RgbImage.read(text))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(text.toString())
        .hasMessageContaining("png");
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(30, 30, BufferedImage.TYPE_INT_RGB), "png", png);
    Path cut =
        Files.write(folder.resolve("cut.png"), Arrays.copyOf(png.toByteArray(), png.size() / 2));
    assertThatThrownBy(() -> RgbImage.read(cut))
        .isInstanceOf(FileFormatException.class)
        .hasMessageContaining(cut.toString());
    byte[] huge = png.toByteArray();
    huge[16] = 0x40; // A width of more than 2^30 pixels, which the header alone tells.
    Path tooLarge = Files.write(folder.resolve("huge.png"), huge);
    assertThatThrownBy(() -> RgbImage.read(tooLarge)).isInstanceOf(FileFormatException.class);
  }
}
