package io.github.urae.image;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.image.internal.ImageTexts;
import io.github.urae.image.internal.JpegEncoder;
import io.github.urae.image.internal.PngEncoder;
import io.github.urae.image.internal.TiffEncoder;
import io.github.urae.image.internal.WebpEncoder;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Kinds of files that pictures are saved in. All of them hold texts beside the picture. */
public enum ImageFormat {
  /** Without loss. */
  PNG,
  /** With quality 95 of 100; pixels change a little. */
  JPEG,
  /** Without loss. */
  TIFF,
  /** Without loss, smaller than PNG; at most 16384 pixels a side. */
  WEBP;

  private static final float JPEG_QUALITY = 0.95f;

  private List<String> suffixes() {
    return switch (this) {
      case PNG -> List.of(".png");
      case JPEG -> List.of(".jpg", ".jpeg");
      case TIFF -> List.of(".tif", ".tiff");
      case WEBP -> List.of(".webp");
    };
  }

  /**
   * Returns the format that a file's name asks for.
   *
   * @param file a name that ends in {@code .png}, {@code .jpg}, {@code .jpeg}, {@code .tif}, {@code
   *     .tiff} or {@code .webp}, in letters of any case
   * @return the format
   * @throws InvalidRequestException if it ends in anything else
   */
  public static ImageFormat of(Path file) {
    return endingOf(file)
        .orElseThrow(
            () ->
                new InvalidRequestException(
                    file
                        + ": expected a name that ends in one of "
                        + Arrays.stream(values())
                            .flatMap(format -> format.suffixes().stream())
                            .toList()));
  }

  /**
   * Returns the format that a file's name ends in.
   *
   * @param file any path
   * @return the format as of {@link #of}, or empty if the name ends in none
   */
  public static Optional<ImageFormat> endingOf(Path file) {
    String name = file.toString().toLowerCase(Locale.ROOT);
    return Arrays.stream(values())
        .filter(format -> format.suffixes().stream().anyMatch(name::endsWith))
        .findFirst();
  }

  /**
   * Writes a picture.
   *
   * @param image the picture
   * @param texts names, of 1 to 79 Latin letters, digits and the like, and what is to be kept under
   *     them; as text chunks of their own in PNG, as one JSON object in JPEG's comment, TIFF's
   *     description, and the description in WebP's EXIF block
   * @param out receives the bytes; left open
   * @throws IOException if writing fails
   * @throws InvalidRequestException if the picture is larger than the format's files can be
   */
  public void write(RgbImage image, Map<String, String> texts, OutputStream out)
      throws IOException {
    switch (this) {
      case PNG -> PngEncoder.write(image.view(), texts, out);
      case JPEG -> JpegEncoder.write(image.view(), JPEG_QUALITY, texts, out);
      case TIFF -> TiffEncoder.write(image.view(), texts, out);
      case WEBP -> WebpEncoder.write(image.view(), texts, out);
    }
  }

  /**
   * Reads the texts that stand beside a picture, of all formats here. What this library did not
   * write is read, too: all text chunks of PNG; a comment or description in other words under the
   * name {@code comment}.
   *
   * @param file a PNG, JPEG, TIFF or WebP file, whatever its name
   * @return names and texts, in the file's order; empty where it has none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is none of these files, damaged, or has more texts than
   *     {@link ReadLimits#DEFAULTS} allow
   */
  public static Map<String, String> texts(Path file) throws IOException {
    return texts(file, ReadLimits.DEFAULTS);
  }

  /**
   * Reads the texts as {@link #texts(Path)} does, within other limits.
   *
   * @param file a PNG, JPEG, TIFF or WebP file, whatever its name
   * @param limits on texts
   * @return names and texts, in the file's order; empty where it has none
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it is none of these files, damaged, or has more texts
   */
  public static Map<String, String> texts(Path file, ReadLimits limits) throws IOException {
    return ImageTexts.read(file, limits.maxTextBytes(), limits.maxTexts());
  }
}
