package io.github.urae.image.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Looks at the first directory of TIFF files. */
final class TiffFile {

  private static final int WIDTH = 256;
  private static final int HEIGHT = 257;
  private static final int BITS = 258;
  private static final int SAMPLES = 277;
  private static final int PROFILE = 34675;

  /** A tag that nobody reads, in the place of those that readers shall not see. */
  private static final short UNUSED = (short) 65000;

  private static final int TYPE_SHORT = 3;
  private static final int ENTRY_BYTES = 12;

  private TiffFile() {}

  static PictureFile read(String origin, byte[] file) {
    ByteOrder order = file[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
    FileWalk walk = new FileWalk(origin, file, order);
    walk.skip(4);
    walk.seek(walk.u32());
    int entries = walk.u16();
    long width = 0;
    long height = 0;
    long samples = 1;
    long bits = 1;
    byte[] content = file.clone();
    for (int i = 0; i < entries; i++) {
      int start = walk.position();
      int tag = walk.u16();
      int type = walk.u16();
      long count = walk.u32();
      long value = type == TYPE_SHORT ? walk.u16() : walk.u32();
      switch (tag) {
        case WIDTH -> width = value;
        case HEIGHT -> height = value;
        case SAMPLES -> samples = value;
        // Several do not fit into the entry: 16 is what pictures have at most.
        case BITS -> bits = count > 2 || value > 64 ? 16 : value;
        case PROFILE -> ByteBuffer.wrap(content).order(order).putShort(start, UNUSED);
        default -> {
          // Of no account here.
        }
      }
      walk.seek(start + ENTRY_BYTES);
    }
    if (width < 1 || height < 1 || width > Integer.MAX_VALUE || height > Integer.MAX_VALUE) {
      throw walk.damaged("its size is " + width + "x" + height);
    }
    CameraNotes notes = new CameraNotes();
    notes.addExif(file);
    return new PictureFile(
        content,
        (int) width,
        (int) height,
        0,
        (int) Math.min(16, Math.max(1, samples * bits / Byte.SIZE)),
        notes.orientation());
  }
}
