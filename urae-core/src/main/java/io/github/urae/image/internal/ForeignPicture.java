package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.util.Locale;
import java.util.Optional;

/** Names files that were taken for pictures, and kinds of pictures that are not read. */
final class ForeignPicture {

  private static final int LOOKED_AT = 512;

  private ForeignPicture() {}

  /**
   * Returns what a file is, to follow {@code "found "}; empty where its first bytes do not tell.
   */
  static Optional<String> describe(byte[] file) {
    String start = new String(file, 0, Math.min(file.length, LOOKED_AT), ISO_8859_1);
    String text = start.strip().toLowerCase(Locale.ROOT);
    String found = null;
    if (start.isEmpty()) {
      found = "an empty file";
    } else if (start.startsWith("ftyp", 4)) {
      found = ofMediaFile(start);
    } else if (text.contains("<svg")) {
      found = "an SVG drawing; draw it at the size that you want and save it as PNG";
    } else if (start.startsWith("\u0000\u0000\u0000\fJXL ") || start.startsWith("\u00FF\n")) {
      found = "JPEG XL; save it as PNG";
    } else if (start.startsWith("\u0000\u0000\u0000\fjP  ") || start.startsWith("\u00FFO\u00FFQ")) {
      found = "JPEG 2000; save it as PNG";
    } else if (start.startsWith("8BPS")) {
      found = "a Photoshop file; save it as PNG";
    } else if (start.startsWith("%PDF")) {
      found = "a PDF document; save the picture in it as PNG";
    } else if (start.startsWith("II+\0") || start.startsWith("MM\0+")) {
      found = "a BigTIFF file; save it as TIFF or PNG";
    } else if (start.startsWith("v/1\u0001")) {
      found = "OpenEXR; save it as PNG";
    } else if (start.startsWith("\0\0\1\0")) {
      found = "an icon; save it as PNG";
    } else if (text.startsWith("<!doctype html") || text.startsWith("<html")) {
      found = "an HTML page; a link to a page about a picture was saved, not the picture";
    } else if (start.startsWith("version https://git-lfs")) {
      found = "a Git LFS pointer; fetch the file itself with git lfs pull";
    } else if (start.startsWith("P")
        && start.length() > 2
        && "1234567".indexOf(start.charAt(1)) >= 0
        && Character.isWhitespace(start.charAt(2))) {
      found = "a Netpbm picture; save it as PNG";
    } else if (start.startsWith("qoif")) {
      found = "QOI; save it as PNG";
    } else if (start.startsWith("\u001F\u008B") || start.startsWith("PK\u0003\u0004")) {
      found = "a compressed archive; unpack it";
    }
    return Optional.ofNullable(found);
  }

  private static String ofMediaFile(String start) {
    String brand = start.substring(8, Math.min(12, start.length()));
    return switch (brand) {
      case "avif", "avis" -> "AVIF; save it as PNG";
      case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1" ->
          "HEIC, as telephones take pictures; save it as JPEG or PNG";
      case "crx " -> "a camera's raw picture; save it as PNG";
      default -> "a film; save a picture of it as PNG";
    };
  }
}
