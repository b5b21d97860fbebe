package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Looks through JPEG files. */
final class JpegFile {

  /** Progressive pictures have about ten; each takes as long as a whole picture. */
  private static final int MAX_SCANS = 100;

  private static final int START = 0xD8;
  private static final int END = 0xD9;
  private static final int SCAN = 0xDA;
  private static final int FIRST_RESTART = 0xD0;
  private static final int LAST_RESTART = 0xD7;
  private static final int TEMPORARY = 0x01;
  private static final int FIRST_FRAME = 0xC0;
  private static final int LAST_FRAME = 0xCF;
  private static final int HUFFMAN_TABLES = 0xC4;
  private static final int EXTENSION = 0xC8;
  private static final int ARITHMETIC_TABLES = 0xCC;
  private static final int APPLICATION = 0xE0;
  private static final int EXIF = 0xE1;
  private static final int ADOBE = 0xEE;
  private static final int LAST_APPLICATION = 0xEF;
  private static final int COMMENT = 0xFE;

  private static final String XMP_MARK = "http://ns.adobe.com/xap/1.0/\0";
  private static final String EXIF_MARK = "Exif\0";

  /** What says that three components are luminance and colour differences. */
  private static final byte[] JFIF = {
    (byte) 0xFF, (byte) APPLICATION, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0
  };

  private final FileWalk walk;
  private final byte[] file;
  private final ByteArrayOutputStream tables;
  private final CameraNotes notes = new CameraNotes();
  private boolean jfif;
  private byte[] adobe = new byte[0];
  private int width;
  private int height;
  private int[] components = new int[0];

  private JpegFile(String origin, byte[] file) {
    this.file = file;
    walk = new FileWalk(origin, file, ByteOrder.BIG_ENDIAN);
    tables = new ByteArrayOutputStream(file.length);
  }

  static PictureFile read(String origin, byte[] file) {
    JpegFile jpeg = new JpegFile(origin, file);
    jpeg.walk();
    return jpeg.result();
  }

  /** Tells whether the four components of a file are luminance, differences and black. */
  static boolean hasLuminance(PictureFile picture) {
    byte[] content = picture.content();
    // The mark that result() puts first.
    return content.length > 17 && content[3] == (byte) ADOBE && content[17] == 2;
  }

  private void walk() {
    walk.skip(2);
    int scans = 0;
    while (true) {
      int start = walk.position();
      int marker = marker();
      if (marker == END) {
        tables.write(0xFF);
        tables.write(END);
        break;
      }
      if (marker == TEMPORARY || marker == START || isRestart(marker)) {
        continue;
      }
      int length = walk.u16() - Short.BYTES;
      if (length < 0) {
        throw walk.damaged("a segment has a negative length");
      }
      if ((marker >= APPLICATION && marker <= LAST_APPLICATION) || marker == COMMENT) {
        application(marker, walk.bytes(length));
        continue;
      }
      boolean frame =
          marker >= FIRST_FRAME
              && marker <= LAST_FRAME
              && marker != HUFFMAN_TABLES
              && marker != EXTENSION
              && marker != ARITHMETIC_TABLES;
      if (frame) {
        frame(marker, walk.bytes(length));
      } else {
        walk.skip(length);
      }
      if (marker == SCAN) {
        scans++;
        if (scans > MAX_SCANS || width == 0) {
          throw walk.damaged(
              width == 0
                  ? "pixels come before their size"
                  : "expected at most " + MAX_SCANS + " scans, found more");
        }
        skipPixels();
      }
      tables.write(0xFF);
      tables.write(file, start + 1, walk.position() - start - 1);
    }
    if (scans == 0) {
      throw walk.damaged("it has no pixels");
    }
  }

  /** Reads a marker: a byte of ones, any number of them, and its kind. */
  private int marker() {
    if (walk.u8() != 0xFF) {
      throw walk.damaged("expected a JPEG marker, found something else");
    }
    int marker = walk.u8();
    while (marker == 0xFF) {
      marker = walk.u8();
    }
    return marker;
  }

  private static boolean isRestart(int marker) {
    return marker >= FIRST_RESTART && marker <= LAST_RESTART;
  }

  private void skipPixels() {
    int at = walk.position();
    while (at + 1 < file.length) {
      int next = Byte.toUnsignedInt(file[at + 1]);
      if (file[at] == (byte) 0xFF && next != 0 && next != 0xFF && !isRestart(next)) {
        walk.seek(at);
        return;
      }
      at++;
    }
    walk.seek(file.length + 1L);
  }

  private void application(int marker, byte[] content) {
    String start = new String(content, 0, Math.min(content.length, XMP_MARK.length()), ISO_8859_1);
    if (marker == APPLICATION && start.startsWith("JFIF\0")) {
      jfif = true;
    } else if (marker == ADOBE && start.startsWith("Adobe") && content.length >= 12) {
      adobe = content;
    } else if (marker == EXIF && start.startsWith(EXIF_MARK)) {
      notes.addExif(content);
    } else if (marker == EXIF && start.equals(XMP_MARK)) {
      notes.addXmp(content);
    }
  }

  private void frame(int marker, byte[] content) {
    if (width != 0) {
      throw walk.damaged("it has two sizes");
    }
    if (marker > FIRST_FRAME + 2) {
      throw walk.damaged(
          "a kind of JPEG that few programs read (lossless, hierarchical or arithmetic coding);"
              + " save it as a usual JPEG or PNG");
    }
    if (content.length < 6 || content.length != 6 + 3 * content[5]) {
      throw walk.damaged("its header is not as it should be");
    }
    if (content[0] != Byte.SIZE) {
      throw walk.damaged("expected 8 bits a sample, found " + content[0] + "; save it as PNG");
    }
    height = Byte.toUnsignedInt(content[1]) << 8 | Byte.toUnsignedInt(content[2]);
    width = Byte.toUnsignedInt(content[3]) << 8 | Byte.toUnsignedInt(content[4]);
    components = new int[content[5]];
    for (int i = 0; i < components.length; i++) {
      components[i] = Byte.toUnsignedInt(content[6 + 3 * i]);
    }
    if (width == 0 || height == 0) {
      throw walk.damaged("its size is " + width + "x" + height);
    }
    if (components.length != 1 && components.length != 3 && components.length != 4) {
      throw walk.damaged("expected 1, 3 or 4 colours, found " + components.length);
    }
  }

  /**
   * Puts the file together again with one mark that says what its components are, as libjpeg, and
   * so Pillow, finds out. The Java platform guesses otherwise where both marks or none are there.
   */
  private PictureFile result() {
    ByteArrayOutputStream content = new ByteArrayOutputStream(tables.size() + 32);
    content.write(0xFF);
    content.write(START);
    boolean namedRgb = Arrays.equals(components, new int[] {'R', 'G', 'B'});
    if (components.length == 3 && !jfif && (adobe.length > 0 || namedRgb)) {
      content.writeBytes(adobeMark(adobe.length > 0 ? adobe[11] : 0));
    } else if (components.length == 4) {
      content.writeBytes(adobeMark(adobe.length > 0 && adobe[11] == 2 ? 2 : 0));
    } else {
      content.writeBytes(JFIF);
    }
    content.writeBytes(tables.toByteArray());
    return new PictureFile(
        content.toByteArray(),
        width,
        height,
        components.length,
        components.length,
        notes.orientation());
  }

  private static byte[] adobeMark(int transform) {
    return new byte[] {
      (byte) 0xFF,
      (byte) ADOBE,
      0,
      14,
      'A',
      'd',
      'o',
      'b',
      'e',
      0,
      100,
      0,
      0,
      0,
      0,
      (byte) transform
    };
  }
}
