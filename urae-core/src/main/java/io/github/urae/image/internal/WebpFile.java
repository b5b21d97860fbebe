package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Looks through WebP files; of animations at the first picture. */
final class WebpFile {

  private static final int LOSSLESS_MARK = 0x2F;
  private static final int ALPHA_FLAG = 0x10;
  private static final int FRAME_HEADER_BYTES = 16;

  /** The decoder reads so far ahead, or further, and takes what is missing for damage. */
  private static final int READ_AHEAD = 16;

  private final FileWalk walk;
  private final CameraNotes notes = new CameraNotes();
  private final ByteArrayOutputStream pixels = new ByteArrayOutputStream();
  private int canvasWidth;
  private int canvasHeight;
  private int width;
  private int height;
  private boolean alpha;

  private WebpFile(String origin, byte[] file) {
    walk = new FileWalk(origin, file, ByteOrder.LITTLE_ENDIAN);
  }

  static PictureFile read(String origin, byte[] file) {
    WebpFile webp = new WebpFile(origin, file);
    webp.walk();
    return webp.result();
  }

  private void walk() {
    walk.skip(4);
    long end = Math.min(walk.u32() + 8, walk.position() + (long) walk.remaining());
    walk.skip(4);
    while (walk.position() + 8 <= end) {
      String type = new String(walk.bytes(4), US_ASCII);
      byte[] content = walk.bytes(walk.u32());
      if (content.length % 2 == 1 && walk.remaining() > 0) {
        walk.skip(1);
      }
      switch (type) {
        case "VP8X" -> canvas(content);
        case "VP8 ", "VP8L", "ALPH" -> pixels(type, content);
        case "ANMF" -> frame(content);
        case "EXIF" -> notes.addExif(content);
        case "XMP " -> notes.addXmp(content);
        default -> {
          // Profiles and what others made up.
        }
      }
    }
    if (width == 0 || height == 0) {
      throw walk.damaged("it has no pixels");
    }
    if (canvasWidth != 0 && (canvasWidth != width || canvasHeight != height)) {
      throw walk.damaged(
          "its first picture, "
              + width
              + "x"
              + height
              + ", covers only a part of "
              + canvasWidth
              + "x"
              + canvasHeight
              + "; save that picture as PNG");
    }
  }

  private void canvas(byte[] content) {
    ByteBuffer header = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    if (content.length < 10) {
      throw walk.damaged("its header is cut short");
    }
    canvasWidth = 1 + (header.getInt(3) >>> 8);
    canvasHeight = 1 + (header.getInt(6) >>> 8);
  }

  private void frame(byte[] content) {
    if (width != 0) {
      return; // Not the first.
    }
    int at = FRAME_HEADER_BYTES;
    while (at + 8 <= content.length) {
      String type = new String(content, at, 4, US_ASCII);
      long length =
          Integer.toUnsignedLong(
              ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).getInt(at + 4));
      if (length > content.length - at - 8L) {
        throw walk.damaged("its first picture is cut short");
      }
      byte[] part = new byte[(int) length];
      System.arraycopy(content, at + 8, part, 0, part.length);
      if (!type.equals("ANMF")) {
        pixels(type, part);
      }
      at += 8 + part.length + part.length % 2;
    }
  }

  /** Keeps the pieces that are pixels, and finds their size. */
  private void pixels(String type, byte[] content) {
    boolean known = type.equals("VP8 ") || type.equals("VP8L") || type.equals("ALPH");
    if (!known || width != 0) {
      return;
    }
    if (type.equals("ALPH")) {
      alpha = true;
    } else {
      size(type, ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN));
    }
    pixels.writeBytes(piece(type, content, 0));
  }

  private void size(String type, ByteBuffer content) {
    if (content.limit() < 10) {
      throw walk.damaged("its pixels are cut short");
    }
    if (type.equals("VP8L")) {
      if (content.get(0) != LOSSLESS_MARK) {
        throw walk.damaged("its pixels do not begin as they should");
      }
      int sizes = content.getInt(1);
      width = 1 + (sizes & 0x3FFF);
      height = 1 + (sizes >>> 14 & 0x3FFF);
      alpha = (sizes >>> 28 & 1) == 1;
    } else {
      if (content.get(3) != (byte) 0x9D || content.get(4) != 1 || content.get(5) != 0x2A) {
        throw walk.damaged("its pixels do not begin as they should");
      }
      width = content.getShort(6) & 0x3FFF;
      height = content.getShort(8) & 0x3FFF;
    }
  }

  /** Puts a file together that has nothing but one picture. */
  private PictureFile result() {
    ByteArrayOutputStream pieces = new ByteArrayOutputStream(pixels.size() + 64);
    pieces.writeBytes("WEBP".getBytes(US_ASCII));
    ByteBuffer canvas = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    canvas.putInt(alpha ? ALPHA_FLAG : 0);
    canvas.putInt(4, width - 1);
    canvas.putInt(7, height - 1);
    byte[] header = new byte[10];
    canvas.get(0, header);
    pieces.writeBytes(piece("VP8X", header, 0));
    pieces.writeBytes(pixels.toByteArray());
    return new PictureFile(
        piece("RIFF", pieces.toByteArray(), READ_AHEAD), width, height, 0, 8, notes.orientation());
  }

  private static byte[] piece(String type, byte[] content, int zeros) {
    ByteBuffer piece =
        ByteBuffer.allocate(8 + content.length + content.length % 2 + zeros)
            .order(ByteOrder.LITTLE_ENDIAN);
    return piece.put(type.getBytes(US_ASCII)).putInt(content.length).put(content).array();
  }
}
