package io.github.urae.flux;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.urae.image.RgbImage;
import io.github.urae.internal.Sha256;
import io.github.urae.tensor.Tensor;
import java.security.MessageDigest;
import java.util.HexFormat;

/** Names for what a request holds: SHA-256 of kind, size and content, in hexadecimal digits. */
final class ContentDigest {

  private static final int BYTES_A_PIXEL = 3;

  private ContentDigest() {}

  static String of(Tensor tensor) {
    MessageDigest digest = Sha256.start();
    digest.update((tensor.type() + " " + tensor.shape()).getBytes(UTF_8));
    digest.update(tensor.data());
    return HexFormat.of().formatHex(digest.digest());
  }

  static String of(RgbImage image) {
    MessageDigest digest = Sha256.start();
    digest.update(("RGB " + image.width() + "x" + image.height()).getBytes(UTF_8));
    byte[] row = new byte[BYTES_A_PIXEL * image.width()];
    for (int y = 0; y < image.height(); y++) {
      for (int x = 0; x < image.width(); x++) {
        int pixel = image.pixel(x, y);
        row[BYTES_A_PIXEL * x] = (byte) (pixel >> 16);
        row[BYTES_A_PIXEL * x + 1] = (byte) (pixel >> 8);
        row[BYTES_A_PIXEL * x + 2] = (byte) pixel;
      }
      digest.update(row);
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
