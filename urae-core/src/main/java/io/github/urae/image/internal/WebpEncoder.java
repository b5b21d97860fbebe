package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.github.urae.InvalidRequestException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * Writes WebP of the lossless kind, with texts in its EXIF block.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9649#section-2">RFC 9649, 2: the container</a>
 */
public final class WebpEncoder {

  private static final int PIECE_HEADER = 8;
  private static final int CANVAS_BYTES = 10;
  private static final int EXIF_FLAG = 0x08;

  private static final int DESCRIPTION_TAG = 270;
  private static final int ASCII_TYPE = 2;
  private static final int DIRECTORY_OFFSET = 8;
  private static final int TEXT_OFFSET = 26;

  private WebpEncoder() {}

  /**
   * Writes a picture.
   *
   * @param image of one number a pixel, 0x00RRGGBB
   * @param out left open
   * @throws InvalidRequestException if a side has more than 16384 pixels
   */
  public static void write(BufferedImage image, Map<String, String> texts, OutputStream out)
      throws IOException {
    int width = image.getWidth();
    int height = image.getHeight();
    if (Math.max(width, height) > WebpPixels.MAX_SIDE) {
      throw new InvalidRequestException(
          "WebP: expected at most "
              + WebpPixels.MAX_SIDE
              + " pixels a side, found "
              + width
              + "x"
              + height
              + "; save a PNG");
    }
    int[] levels = (int[]) image.getRaster().getDataElements(0, 0, width, height, null);
    byte[] pixels = WebpPixels.pack(width, height, levels);
    byte[] exif = texts.isEmpty() ? new byte[0] : exif(ImageTexts.asOne(texts));
    long size = 4L + pieceBytes(pixels);
    if (exif.length > 0) {
      size += PIECE_HEADER + CANVAS_BYTES + pieceBytes(exif);
    }
    ByteBuffer start = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    start.put("RIFF".getBytes(US_ASCII)).putInt(Math.toIntExact(size));
    out.write(start.put("WEBP".getBytes(US_ASCII)).array());
    if (exif.length > 0) {
      writePiece("VP8X", canvas(width, height), out);
    }
    writePiece("VP8L", pixels, out);
    if (exif.length > 0) {
      writePiece("EXIF", exif, out);
    }
  }

  private static long pieceBytes(byte[] content) {
    return PIECE_HEADER + (long) content.length + content.length % 2;
  }

  private static void writePiece(String type, byte[] content, OutputStream out) throws IOException {
    ByteBuffer header = ByteBuffer.allocate(PIECE_HEADER).order(ByteOrder.LITTLE_ENDIAN);
    out.write(header.put(type.getBytes(US_ASCII)).putInt(content.length).array());
    out.write(content);
    if (content.length % 2 == 1) {
      out.write(0);
    }
  }

  /** The flags in four bytes, and sides less one in three each. */
  private static byte[] canvas(int width, int height) {
    ByteBuffer canvas = ByteBuffer.allocate(CANVAS_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    canvas.putInt(EXIF_FLAG);
    for (int side : new int[] {width - 1, height - 1}) {
      canvas.putShort((short) side).put((byte) (side >> 16));
    }
    return canvas.array();
  }

  /** A TIFF structure with one directory, of which the description is the one entry. */
  private static byte[] exif(String text) {
    byte[] bytes = text.getBytes(US_ASCII);
    ByteBuffer block =
        ByteBuffer.allocate(TEXT_OFFSET + bytes.length + 1).order(ByteOrder.LITTLE_ENDIAN);
    block.put("II".getBytes(US_ASCII)).putShort((short) 42).putInt(DIRECTORY_OFFSET);
    block.putShort((short) 1);
    block.putShort((short) DESCRIPTION_TAG).putShort((short) ASCII_TYPE);
    block.putInt(bytes.length + 1).putInt(TEXT_OFFSET);
    block.putInt(0); // No more directories.
    return block.put(bytes).array();
  }
}
