package io.github.urae.server.internal.http;

import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Map;

/** Pictures that are not done yet, as files. */
final class Previews {

  private static final int MAX_SIDE = 1024;

  private Previews() {}

  /** Returns a preview, enlarged to the picture's size, or to 1024 pixels where that is larger. */
  static byte[] enlarged(RgbImage preview, int width, int height, ImageFormat format)
      throws IOException {
    double scale = Math.min(1, (double) MAX_SIDE / Math.max(width, height));
    RgbImage large =
        preview.resized(
            (int) Math.max(1, Math.round(width * scale)),
            (int) Math.max(1, Math.round(height * scale)));
    return file(large, format);
  }

  static byte[] file(RgbImage picture, ImageFormat format) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    format.write(picture, Map.of(), bytes);
    return bytes.toByteArray();
  }
}
