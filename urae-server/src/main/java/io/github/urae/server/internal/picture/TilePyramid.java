package io.github.urae.server.internal.picture;

import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferInt;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;

/**
 * A picture in tiles of several sizes, so that a viewer fetches what it shows and no more: Deep
 * Zoom's layout, {@code LEVEL/COLUMN_ROW.jpg}, where level 0 is one pixel and every next one is
 * twice as large.
 *
 * @see <a href="https://openseadragon.github.io/examples/tilesource-dzi/">Deep Zoom images</a>
 */
public final class TilePyramid {

  /** Pixels a side of a tile; tiles do not overlap. */
  public static final int TILE = 256;

  private TilePyramid() {}

  /** Returns the level at which the picture has its own size. */
  private static int topLevel(int width, int height) {
    return Integer.SIZE - Integer.numberOfLeadingZeros(Math.max(width, height) - 1);
  }

  /** Writes all tiles into a folder, which is there when it is whole. */
  static void write(RgbImage picture, Path folder) throws IOException {
    Path temporary = Files.createTempDirectory(folder.getParent(), "tiles");
    try {
      int width = picture.width();
      int height = picture.height();
      int[] pixels =
          ((DataBufferInt) picture.toBufferedImage().getRaster().getDataBuffer()).getData();
      for (int level = topLevel(width, height); level >= 0; level--) {
        writeLevel(pixels, width, height, temporary.resolve(Integer.toString(level)));
        pixels = halved(pixels, width, height);
        width = (width + 1) / 2;
        height = (height + 1) / 2;
      }
      Files.move(temporary, folder, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      PictureFiles.deleteTree(temporary);
    }
  }

  private static void writeLevel(int[] pixels, int width, int height, Path folder)
      throws IOException {
    Files.createDirectories(folder);
    for (int y = 0; y < height; y += TILE) {
      for (int x = 0; x < width; x += TILE) {
        int tileWidth = Math.min(TILE, width - x);
        int tileHeight = Math.min(TILE, height - y);
        BufferedImage tile = new BufferedImage(tileWidth, tileHeight, BufferedImage.TYPE_INT_RGB);
        int[] target = ((DataBufferInt) tile.getRaster().getDataBuffer()).getData();
        for (int row = 0; row < tileHeight; row++) {
          System.arraycopy(pixels, (y + row) * width + x, target, row * tileWidth, tileWidth);
        }
        Path file = folder.resolve(x / TILE + "_" + y / TILE + ".jpg");
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file))) {
          ImageFormat.JPEG.write(RgbImage.wrap(tileWidth, tileHeight, target), Map.of(), out);
        }
      }
    }
  }

  /** Each pixel is the mean of up to four. */
  private static int[] halved(int[] pixels, int width, int height) {
    int newWidth = (width + 1) / 2;
    int newHeight = (height + 1) / 2;
    int[] result = new int[newWidth * newHeight];
    for (int y = 0; y < newHeight; y++) {
      int top = 2 * y * width;
      int bottom = Math.min(2 * y + 1, height - 1) * width;
      for (int x = 0; x < newWidth; x++) {
        int left = 2 * x;
        int right = Math.min(left + 1, width - 1);
        result[y * newWidth + x] =
            mean(
                pixels[top + left],
                pixels[top + right],
                pixels[bottom + left],
                pixels[bottom + right]);
      }
    }
    return result;
  }

  private static int mean(int a, int b, int c, int d) {
    int red = (a >> 16 & 0xFF) + (b >> 16 & 0xFF) + (c >> 16 & 0xFF) + (d >> 16 & 0xFF);
    int green = (a >> 8 & 0xFF) + (b >> 8 & 0xFF) + (c >> 8 & 0xFF) + (d >> 8 & 0xFF);
    int blue = (a & 0xFF) + (b & 0xFF) + (c & 0xFF) + (d & 0xFF);
    return ((red + 2) >> 2) << 16 | ((green + 2) >> 2) << 8 | ((blue + 2) >> 2);
  }
}
