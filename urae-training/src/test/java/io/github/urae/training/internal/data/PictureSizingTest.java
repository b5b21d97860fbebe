package io.github.urae.training.internal.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.InvalidRequestException;
import io.github.urae.image.ResizeFilter;
import io.github.urae.image.RgbImage;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PictureSizingTest {

  private static PictureSizing sizing(int resolution, boolean crop) {
    return new PictureSizing(
        resolution == 0 ? OptionalInt.empty() : OptionalInt.of(resolution), crop, true);
  }

  /** Columns from black to white, rows too. */
  private static RgbImage picture(int width, int height) {
    int[] pixels = new int[width * height];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = ((i % width * 255 / width) << 16) | (i / width * 255 / height);
    }
    return RgbImage.of(width, height, pixels);
  }

  /** What URAE's {@code resize} gives, from its {@code cache_latent_codes.py}. */
  @ParameterizedTest
  @CsvSource({
    "320,320,192,192,192",
    "400,300,192,192,144",
    "200,400,192,96,192",
    "1000,10,4096,4096,1024",
    "3000,1000,4096,4096,2048",
    "3001,1000,4096,4096,1024",
    "7,6,64,64,48",
    "6,7,64,48,64",
    "6,5,64,64,48",
    "5,6,64,48,64",
    "5,3,1024,1024,512",
    "8,5,1024,1024,768"
  })
  void takesTheNearestProportion(int width, int height, int resolution, int w, int h) {
    assertThat(sizing(resolution, false).target(width, height))
        .isEqualTo(new PictureSizing.Size(w, h));
    assertThat(sizing(resolution, false).mayGive(h, w)).isTrue();
  }

  @Test
  void stretches() {
    RgbImage picture = picture(50, 40);
    assertThat(sizing(64, false).applied(picture))
        .isEqualTo(picture.resized(64, 48, ResizeFilter.BICUBIC));
  }

  @Test
  void crops() {
    RgbImage picture = picture(70, 40); // 1.75: nearest 2:1
    RgbImage cropped = sizing(64, true).applied(picture);
    assertThat(cropped)
        .isEqualTo(picture.cropped(0, 2, 70, 35).resized(64, 32, ResizeFilter.BICUBIC));
    assertThat(sizing(0, true).applied(picture)).isEqualTo(picture.cropped(3, 4, 64, 32));
    // A line: its part in the middle, and no picture of millions of pixels on the way.
    assertThat(sizing(4096, true).applied(picture(1, 10000))).hasToString("1024x4096 pixels");
  }

  @Test
  void keepsOwnSizesOfWholeTokens() {
    RgbImage picture = picture(48, 32);
    assertThat(sizing(0, false).applied(picture)).isSameAs(picture);
    assertThatThrownBy(() -> sizing(0, false).applied(picture(50, 40)))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("odd size: expected multiples of 16 pixels, found 50x40");
    assertThatThrownBy(() -> sizing(0, true).applied(picture(50, 15)))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("too small: expected at least 16x16 pixels, found 50x15");
  }

  @Test
  void enlargesOnlyWhereWanted() {
    PictureSizing strict = new PictureSizing(OptionalInt.of(64), false, false);
    assertThatThrownBy(() -> strict.applied(picture(63, 64)))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("too small: would have to be enlarged to 64x64 pixels");
    assertThat(strict.applied(picture(64, 65))).hasToString("64x64 pixels");
    assertThat(sizing(64, false).enlarges(picture(63, 64))).isTrue();
    assertThat(sizing(0, false).enlarges(picture(63, 64))).isFalse();
  }

  @ParameterizedTest
  @CsvSource({"1000,1024", "-5,", "0,", "32,64", "16448,16384"})
  void refusesResolutionsWithoutWholeTokens(int resolution, String nearest) {
    assertThatThrownBy(() -> new PictureSizing(OptionalInt.of(resolution), false, true))
        .isInstanceOf(InvalidRequestException.class)
        .hasMessageContaining("resolution: expected a multiple of 64 pixels up to 16384")
        .hasMessageContaining(nearest == null ? "found " + resolution : "nearest is " + nearest);
  }
}
