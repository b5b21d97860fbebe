package io.github.urae.image.internal;

/** Pixels of a picture's file. */
public final class DecodedPicture {

  private final int width;
  private final int height;
  private final int[] pixels;

  /** Takes 0x00RRGGBB, row by row; not copied. */
  DecodedPicture(int width, int height, int[] pixels) {
    this.width = width;
    this.height = height;
    this.pixels = pixels;
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /** Returns 0x00RRGGBB, row by row: the pixels themselves, no copy. */
  public int[] pixels() {
    return pixels;
  }

  /**
   * Turns or mirrors the picture as its camera noted.
   *
   * @param orientation 1 to 8, as EXIF counts them; 1 leaves it as it is
   */
  DecodedPicture upright(int orientation) {
    if (orientation == 1) {
      return this;
    }
    boolean transposed = orientation >= 5;
    // Which way the rows and columns of the file run, by EXIF 2.3, table of tag 274.
    boolean columnsBackwards =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    boolean rowsBackwards =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int newWidth = transposed ? height : width;
    int newHeight = transposed ? width : height;
    int[] turned = new int[pixels.length];
    for (int y = 0; y < newHeight; y++) {
      for (int x = 0; x < newWidth; x++) {
        int column = transposed ? y : x;
        int row = transposed ? x : y;
        if (columnsBackwards) {
          column = width - 1 - column;
        }
        if (rowsBackwards) {
          row = height - 1 - row;
        }
        turned[y * newWidth + x] = pixels[row * width + column];
      }
    }
    return new DecodedPicture(newWidth, newHeight, turned);
  }
}
