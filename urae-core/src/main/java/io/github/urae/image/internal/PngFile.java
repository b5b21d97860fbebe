package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Looks through PNG files. */
final class PngFile {

  static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

  /** What pixels depend on. */
  private static final Set<String> DECODED = Set.of("IHDR", "PLTE", "tRNS", "IDAT", "IEND");

  private static final String XMP_KEY = "XML:com.adobe.xmp";

  /** What ImageMagick keeps EXIF under. */
  private static final String EXIF_KEY = "Raw profile type exif";

  /** Larger ones hold no orientation that is worth finding. */
  private static final int MAX_NOTE_BYTES = 1 << 20;

  private static final int HEADER_BYTES = 13;

  private PngFile() {}

  static PictureFile read(String origin, byte[] file) {
    FileWalk walk = new FileWalk(origin, file, ByteOrder.BIG_ENDIAN);
    walk.skip(SIGNATURE.length);
    ByteArrayOutputStream decoded = new ByteArrayOutputStream(file.length);
    decoded.writeBytes(SIGNATURE);
    CameraNotes notes = new CameraNotes();
    ByteBuffer header = null;
    String type = "";
    while (!type.equals("IEND")) {
      int start = walk.position();
      long length = walk.u32();
      byte[] name = walk.bytes(4);
      type = new String(name, US_ASCII);
      if (header == null && !type.equals("IHDR")) {
        throw walk.damaged("it does not begin with a header");
      }
      if (DECODED.contains(type)) {
        byte[] content = walk.bytes(length);
        CRC32 sum = new CRC32();
        sum.update(name);
        sum.update(content);
        if (walk.u32() != sum.getValue()) {
          throw walk.damaged(
              "the checksum of " + type + " does not fit; download or copy it again");
        }
        if (type.equals("IHDR")) {
          if (header != null || length != HEADER_BYTES) {
            throw walk.damaged("its header is not as it should be");
          }
          header = ByteBuffer.wrap(content);
        }
        decoded.write(file, start, walk.position() - start);
      } else {
        note(type, walk, length, notes);
        walk.skip(Integer.BYTES);
      }
    }
    int depth = header.get(8);
    int components =
        switch (header.get(9)) {
          case 0 -> 1;
          case 2 -> 3;
          case 3 -> 1;
          case 4 -> 2;
          case 6 -> 4;
          default ->
              throw walk.damaged("of colour type " + header.get(9) + ", which there is none");
        };
    return new PictureFile(
        decoded.toByteArray(),
        header.getInt(0),
        header.getInt(4),
        components,
        Math.max(1, components * depth / Byte.SIZE),
        notes.orientation());
  }

  private static void note(String type, FileWalk walk, long length, CameraNotes notes) {
    boolean tells =
        type.equals("eXIf") || type.equals("iTXt") || type.equals("zTXt") || type.equals("tEXt");
    if (!tells || length > MAX_NOTE_BYTES) {
      walk.skip(length);
      return;
    }
    byte[] content = walk.bytes(length);
    if (type.equals("eXIf")) {
      notes.addExif(content);
      return;
    }
    int end = 0;
    while (end < content.length && content[end] != 0) {
      end++;
    }
    String key = new String(content, 0, end, ISO_8859_1);
    byte[] rest = Arrays.copyOfRange(content, Math.min(end + 1, content.length), content.length);
    if (key.equals(XMP_KEY)) {
      boolean compressed =
          type.equals("zTXt") || (type.equals("iTXt") && rest.length > 0 && rest[0] == 1);
      int packet = type.equals("zTXt") ? 1 : type.equals("iTXt") ? 4 : 0;
      notes.addXmp(compressed ? inflated(rest, packet) : rest);
    } else if (key.equals(EXIF_KEY)) {
      byte[] text = type.equals("zTXt") ? inflated(rest, 1) : rest;
      notes.addExif(hexadecimal(new String(text, ISO_8859_1)));
    }
  }

  /** Inflates a note, as much of it as may hold an orientation; a damaged one tells nothing. */
  private static byte[] inflated(byte[] deflated, int offset) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(
          deflated, Math.min(offset, deflated.length), Math.max(0, deflated.length - offset));
      byte[] note = new byte[MAX_NOTE_BYTES];
      int length = 0;
      int part = inflater.inflate(note, length, note.length - length);
      while (part > 0) {
        length += part;
        part = inflater.inflate(note, length, note.length - length);
      }
      return Arrays.copyOf(note, length);
    } catch (DataFormatException e) {
      return new byte[0];
    } finally {
      inflater.end();
    }
  }

  /** Reads ImageMagick's form: a line with a name, one with a length, and lines of digits. */
  private static byte[] hexadecimal(String text) {
    int nameEnd = text.indexOf('\n', 1);
    int lengthEnd = nameEnd < 0 ? -1 : text.indexOf('\n', nameEnd + 1);
    if (lengthEnd < 0) {
      return new byte[0];
    }
    StringBuilder digits = new StringBuilder(text.length());
    for (int i = lengthEnd + 1; i < text.length(); i++) {
      if (HexFormat.isHexDigit(text.charAt(i))) {
        digits.append(text.charAt(i));
      }
    }
    digits.setLength(digits.length() & ~1);
    return HexFormat.of().parseHex(digits);
  }
}
