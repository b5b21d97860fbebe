package io.github.urae.image;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferInt;
import java.awt.image.DirectColorModel;
import java.awt.image.Raster;
import java.awt.image.SampleModel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/** An opaque picture of 8 bits a colour, sRGB. Immutable. */
public final class RgbImage {

  /** Larger files are taken for damaged, or made to fill the memory; 16384x16384. */
  private static final long MAX_PIXELS = 1L << 28;

  private final int width;
  private final int height;
  private final int[] pixels;

  private RgbImage(int width, int height, int[] pixels) {
    this.width = width;
    this.height = height;
    this.pixels = pixels;
  }

  /**
   * Creates a picture.
   *
   * @param width pixels, positive
   * @param height pixels, positive
   * @param pixels 0xRRGGBB, row by row, as many as width times height; copied, the upper 8 bits are
   *     ignored
   * @return the picture
   * @throws IllegalArgumentException if the sizes do not fit
   */
  public static RgbImage of(int width, int height, int[] pixels) {
    if (width <= 0 || height <= 0 || (long) width * height != pixels.length) {
      throw new IllegalArgumentException(
          "expected " + width + "x" + height + " pixels, got " + pixels.length);
    }
    return new RgbImage(width, height, opaque(pixels.clone()));
  }

  private static int[] opaque(int[] pixels) {
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] &= 0xFFFFFF;
    }
    return pixels;
  }

  /**
   * Takes over pixels without a copy, which for a picture of 4096x4096 would take 67 MB.
   *
   * @param width columns, at least 1
   * @param height rows, at least 1
   * @param pixels 0x00RRGGBB row by row, {@code width * height} of them; never changed again
   * @return a picture
   * @throws IllegalArgumentException if the number of pixels does not fit
   */
  public static RgbImage wrap(int width, int height, int[] pixels) {
    if (width < 1 || height < 1 || pixels.length != (long) width * height) {
      throw new IllegalArgumentException(
          "expected " + width + "x" + height + " pixels, got " + pixels.length);
    }
    return new RgbImage(width, height, pixels);
  }

  /**
   * Copies a picture. Levels of grey stay as they are; other colour spaces are converted to sRGB.
   *
   * @param image any kind that has no transparent pixel
   * @return the copy
   * @throws InvalidRequestException if a pixel is transparent, for its colour is then arbitrary
   */
  public static RgbImage of(BufferedImage image) {
    int width = image.getWidth();
    int height = image.getHeight();
    ColorModel colours = image.getColorModel();
    int[] pixels = new int[Math.multiplyExact(width, height)];
    if (colours instanceof ComponentColorModel
        && colours.getColorSpace().getType() == ColorSpace.TYPE_GRAY
        && colours.getNumColorComponents() == 1) {
      // Java takes grey for linear light and would brighten it.
      readGrey(image.getRaster(), colours.getComponentSize(0), pixels);
    } else {
      image.getRGB(0, 0, width, height, pixels, 0, width);
    }
    if (colours.hasAlpha()) {
      checkOpaque(image);
    }
    return new RgbImage(width, height, opaque(pixels));
  }

  private static void readGrey(Raster raster, int bits, int[] pixels) {
    double scale = 255.0 / ((1L << bits) - 1);
    int width = raster.getWidth();
    int[] row = new int[width];
    for (int y = 0; y < raster.getHeight(); y++) {
      raster.getSamples(raster.getMinX(), raster.getMinY() + y, width, 1, 0, row);
      for (int x = 0; x < width; x++) {
        pixels[y * width + x] = (int) Math.round(row[x] * scale) * 0x010101;
      }
    }
  }

  private static void checkOpaque(BufferedImage image) {
    int[] row = new int[image.getWidth()];
    for (int y = 0; y < image.getHeight(); y++) {
      image.getRGB(0, y, row.length, 1, row, 0, row.length);
      for (int x = 0; x < row.length; x++) {
        if (row[x] >>> 24 != 0xFF) {
          throw new InvalidRequestException(
              "initial image: expected opaque pixels, found opacity "
                  + (row[x] >>> 24)
                  + " of 255 at column "
                  + x
                  + ", row "
                  + y
                  + "; put the picture on a background first");
        }
      }
    }
  }

  /**
   * Reads a file: PNG, JPEG, BMP, GIF (its first picture), or what else the Java platform finds
   * readers for. A camera's note that the picture is to be turned (EXIF) is not followed.
   *
   * @param file path of the file
   * @return the picture
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it holds no picture that can be read, or one of more than 2^28
   *     pixels
   * @throws InvalidRequestException if a pixel is transparent
   */
  public static RgbImage read(Path file) throws IOException {
    try (InputStream bytes = Files.newInputStream(file)) {
      return read(bytes, file.toString());
    }
  }

  /**
   * Reads a picture as {@link #read(Path)} does.
   *
   * @param bytes a picture's file; left open, and read on from where the picture ends
   * @param origin what messages call it
   * @return the picture
   * @throws IOException if the bytes cannot be read
   * @throws FileFormatException if they are no picture that can be read, or one of more than 2^28
   *     pixels
   * @throws InvalidRequestException if a pixel is transparent
   */
  public static RgbImage read(InputStream bytes, String origin) throws IOException {
    // A stream of its own kind: ImageIO's default would write a temporary file.
    try (ImageInputStream stream = new MemoryCacheImageInputStream(bytes)) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(stream);
      if (!readers.hasNext()) {
        throw new FileFormatException(
            origin
                + ": expected a picture, one of "
                + Arrays.toString(ImageIO.getReaderFileSuffixes())
                + ", found something else");
      }
      ImageReader reader = readers.next();
      try {
        return of(decode(origin, reader, stream));
      } catch (InvalidRequestException e) {
        throw new InvalidRequestException(origin + ": " + e.getMessage(), e);
      } finally {
        reader.dispose();
      }
    }
  }

  private static BufferedImage decode(String origin, ImageReader reader, ImageInputStream stream) {
    try {
      reader.setInput(stream, true, true);
      long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
      if (pixels > MAX_PIXELS) {
        throw new FileFormatException(
            origin + ": expected at most " + MAX_PIXELS + " pixels, found " + pixels);
      }
      return reader.read(0);
    } catch (FileFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // The platform's readers answer damaged files with whatever goes wrong first.
      throw new FileFormatException(origin + ": the picture cannot be read: " + e.getMessage(), e);
    }
  }

  /**
   * Returns the width.
   *
   * @return pixels
   */
  public int width() {
    return width;
  }

  /**
   * Returns the height.
   *
   * @return pixels
   */
  public int height() {
    return height;
  }

  /**
   * Returns one pixel.
   *
   * @param x column
   * @param y row
   * @return 0xRRGGBB
   */
  public int pixel(int x, int y) {
    return pixels[y * width + x];
  }

  /**
   * Returns the picture as Java's own.
   *
   * @return a new 8-bit sRGB image, {@link BufferedImage#TYPE_INT_RGB}
   */
  public BufferedImage toBufferedImage() {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    image.getRaster().setDataElements(0, 0, width, height, pixels);
    return image;
  }

  /** Returns the pixels themselves as an image, no copy: to be read only. */
  BufferedImage view() {
    ColorModel colours = new DirectColorModel(24, 0xFF0000, 0xFF00, 0xFF);
    SampleModel layout = colours.createCompatibleSampleModel(width, height);
    DataBuffer data = new DataBufferInt(pixels, pixels.length);
    return new BufferedImage(colours, Raster.createWritableRaster(layout, data, null), false, null);
  }

  /**
   * Returns a copy in another size, made with Lanczos' filter of three lobes, to the last bit as
   * Pillow does it: {@code image.resize((width, height), Image.LANCZOS)}. The sides' proportion may
   * change.
   *
   * @param newWidth pixels, positive
   * @param newHeight pixels, positive
   * @return the resized picture; this one where the size is the same
   * @throws IllegalArgumentException if a size is not positive
   */
  public RgbImage resized(int newWidth, int newHeight) {
    if (newWidth <= 0 || newHeight <= 0) {
      throw new IllegalArgumentException(
          "expected a positive size, got " + newWidth + "x" + newHeight);
    }
    return Lanczos.resize(this, newWidth, newHeight);
  }

  /** Tells whether size and all pixels are the same. */
  @Override
  public boolean equals(Object other) {
    return other instanceof RgbImage image
        && width == image.width
        && height == image.height
        && Arrays.equals(pixels, image.pixels);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(pixels) * 31 + width;
  }

  /** Returns the size; not the pixels. */
  @Override
  public String toString() {
    return width + "x" + height + " pixels";
  }
}
