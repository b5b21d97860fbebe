package io.github.urae.image.internal;

/**
 * A picture's file, looked through before it is decoded: whole, of a size that its header tells,
 * and without what decoders need not see, such as colour profiles, texts and thumbnails. Those make
 * decoders' results differ, and are where files that were made to do harm do it.
 */
final class PictureFile {

  private final byte[] content;
  private final int width;
  private final int height;
  private final int components;
  private final int pixelBytes;
  private final int orientation;

  /**
   * Describes a file.
   *
   * @param content the file, as little of it as decoding needs; not copied
   * @param width pixels, as stored; 0 where the decoder will tell
   * @param height pixels, as stored; 0 where the decoder will tell
   * @param components samples of a pixel; 0 where the decoder will tell
   * @param pixelBytes bytes that a decoder is expected to hold of a pixel
   * @param orientation 1 to 8, as EXIF counts them
   */
  PictureFile(
      byte[] content, int width, int height, int components, int pixelBytes, int orientation) {
    this.content = content;
    this.width = width;
    this.height = height;
    this.components = components;
    this.pixelBytes = pixelBytes;
    this.orientation = orientation;
  }

  /** Returns the bytes themselves, no copy. */
  byte[] content() {
    return content;
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  int components() {
    return components;
  }

  int pixelBytes() {
    return pixelBytes;
  }

  int orientation() {
    return orientation;
  }
}
