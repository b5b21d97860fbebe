package io.github.urae.server.internal.picture;

import io.github.urae.flux.GeneratedImage;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.internal.JpegEncoder;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** Kinds of files that pictures are answered in. */
public enum PictureType {
  /** Without loss, with the settings. */
  PNG("png"),
  /** Small, with the settings. */
  JPEG("jpg"),
  /** Without loss, smaller than PNG, with the settings. */
  WEBP("webp");

  private final String suffix;

  PictureType(String suffix) {
    this.suffix = suffix;
  }

  /** Returns the library's name for it. */
  public ImageFormat format() {
    return switch (this) {
      case PNG -> ImageFormat.PNG;
      case JPEG -> ImageFormat.JPEG;
      case WEBP -> ImageFormat.WEBP;
    };
  }

  /** Returns the name that callers use. */
  public String id() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Writes a picture with its settings. */
  void write(GeneratedImage picture, int quality, OutputStream out) throws IOException {
    switch (this) {
      case PNG, WEBP -> picture.write(format(), out);
      case JPEG ->
          JpegEncoder.write(
              picture.toBufferedImage(), quality / 100f, picture.record().asText(), out);
    }
  }

  /** Returns the end of files' names, without a dot. */
  public String suffix() {
    return suffix;
  }

  /** Returns what HTTP calls it. */
  public String mediaType() {
    return "image/" + id();
  }

  /** Finds the type of a name that callers use. */
  public static Optional<PictureType> of(String id) {
    return Arrays.stream(values()).filter(type -> type.id().equals(id)).findFirst();
  }

  /** Finds the type of the end of a file's name. */
  public static Optional<PictureType> ofSuffix(String suffix) {
    return Arrays.stream(values()).filter(type -> type.suffix.equals(suffix)).findFirst();
  }
}
