package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Which way up a picture is: what cameras and editors note in EXIF blocks and XMP packets. The
 * first note that tells counts, EXIF's before XMP's, as in Pillow's {@code
 * ImageOps.exif_transpose}.
 */
final class CameraNotes {

  /** The value that leaves a picture as it is. */
  static final int UPRIGHT = 1;

  private static final int LAST_ORIENTATION = 8;

  private static final byte[] EXIF_MARK = {'E', 'x', 'i', 'f', 0, 0};
  private static final String XMP_NAME = "tiff:Orientation";

  private static final int ENTRY_BYTES = 12;
  private static final int ORIENTATION_TAG = 0x112;
  private static final int TYPE_BYTE = 1;
  private static final int TYPE_SHORT = 3;
  private static final int TYPE_LONG = 4;

  /** As it stands in the file; 0 where nothing tells. */
  private int fromExif;

  private int fromXmp;

  /** Reads an EXIF block: a TIFF header and directory, with or without a mark before it. */
  void addExif(byte[] block) {
    int start = 0;
    while (startsWith(block, start, EXIF_MARK)) {
      start += EXIF_MARK.length;
    }
    if (fromExif == 0) {
      fromExif = orientation(ByteBuffer.wrap(block, start, block.length - start).slice());
    }
  }

  /** Reads an XMP packet, as much of it as tells the orientation: an attribute or an element. */
  void addXmp(byte[] packet) {
    String text = new String(packet, ISO_8859_1);
    int at = text.indexOf(XMP_NAME);
    while (at >= 0 && fromXmp == 0) {
      int value = at + XMP_NAME.length();
      if (text.startsWith("=\"", value)) {
        value += 2;
      } else if (text.startsWith(">", value)) {
        value += 1;
      } else {
        value = text.length();
      }
      if (value < text.length() && text.charAt(value) >= '0' && text.charAt(value) <= '9') {
        fromXmp = text.charAt(value) - '0';
      }
      at = text.indexOf(XMP_NAME, at + 1);
    }
  }

  /** Returns 1 to 8; 1 where nothing, or nothing that makes sense, was noted. */
  int orientation() {
    int noted = fromExif == 0 ? fromXmp : fromExif;
    return noted >= UPRIGHT && noted <= LAST_ORIENTATION ? noted : UPRIGHT;
  }

  /** Returns what the first directory of a TIFF structure says; 0 for nothing. */
  static int orientation(ByteBuffer tiff) {
    if (tiff.remaining() < 8) {
      return 0;
    }
    char order = (char) tiff.get(0);
    if (order != tiff.get(1) || (order != 'I' && order != 'M')) {
      return 0;
    }
    tiff.order(order == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    long directory = Integer.toUnsignedLong(tiff.getInt(4));
    if (directory > tiff.limit() - Short.BYTES) {
      return 0;
    }
    int entries = Short.toUnsignedInt(tiff.getShort((int) directory));
    for (int i = 0; i < entries; i++) {
      long entry = directory + Short.BYTES + (long) i * ENTRY_BYTES;
      if (entry > tiff.limit() - ENTRY_BYTES) {
        return 0;
      }
      int at = (int) entry;
      if (Short.toUnsignedInt(tiff.getShort(at)) == ORIENTATION_TAG) {
        return switch (Short.toUnsignedInt(tiff.getShort(at + 2))) {
          case TYPE_BYTE -> Byte.toUnsignedInt(tiff.get(at + 8));
          case TYPE_SHORT -> Short.toUnsignedInt(tiff.getShort(at + 8));
          case TYPE_LONG -> tiff.getInt(at + 8);
          default -> 0;
        };
      }
    }
    return 0;
  }

  private static boolean startsWith(byte[] bytes, int offset, byte[] start) {
    for (int i = 0; i < start.length; i++) {
      if (offset + i >= bytes.length || bytes[offset + i] != start[i]) {
        return false;
      }
    }
    return true;
  }
}
