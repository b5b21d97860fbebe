package io.github.urae.image;

import io.github.urae.FileFormatException;
import io.github.urae.InvalidRequestException;
import io.github.urae.image.internal.DecodedPicture;
import io.github.urae.image.internal.ImagePixels;
import io.github.urae.image.internal.PictureDecoder;
import io.github.urae.internal.InputFile;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
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

/** An opaque picture of 8 bits a colour, sRGB. Immutable. */
public final class RgbImage {

  /** Of a file's bytes, while its picture is decoded. */
  private static final int COPIES = 4;

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
   * Copies a picture. Levels of grey stay as they are, of 16 bits the upper 8 are taken; other
   * colour spaces are converted to sRGB.
   *
   * @param image any kind that has no transparent pixel
   * @return the copy
   * @throws InvalidRequestException if a pixel is transparent, for its colour is then arbitrary
   */
  public static RgbImage of(BufferedImage image) {
    return new RgbImage(image.getWidth(), image.getHeight(), ImagePixels.of(image));
  }

  /**
   * Reads a file: PNG, JPEG, WebP, TIFF, BMP, GIF and animations (their first picture), or what
   * else the Java platform finds readers for. As in diffusers' {@code load_image}, a camera's note
   * that the picture is to be turned (EXIF, XMP) is followed, printing inks (CMYK) become colours
   * as Pillow converts them, and colour profiles are not regarded.
   *
   * @param file path of the file
   * @return the picture
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it holds no picture that can be read, or more than {@link
   *     ReadLimits#DEFAULTS} allow or fits into Java's memory
   * @throws InvalidRequestException if a pixel is transparent
   */
  public static RgbImage read(Path file) throws IOException {
    return read(file, ReadLimits.DEFAULTS);
  }

  /**
   * Reads a file as {@link #read(Path)} does, within other limits.
   *
   * @param file path of the file
   * @param limits on pixels and bytes
   * @return the picture
   * @throws IOException if the file cannot be read
   * @throws FileFormatException if it holds no picture that can be read, or one beyond the limits
   * @throws InvalidRequestException if a pixel is transparent
   */
  public static RgbImage read(Path file, ReadLimits limits) throws IOException {
    InputFile.checkRegular(file);
    long heap = Runtime.getRuntime().maxMemory();
    if (Files.size(file) > heap / COPIES) {
      throw new FileFormatException(
          file
              + ": a picture's file of "
              + (Files.size(file) >> 20)
              + " MB is too large for Java's memory of "
              + (heap >> 20)
              + "; allow more with -Xmx, or save it smaller");
    }
    return decoded(InputFile.read(file, limits.maxFileBytes()), file.toString(), limits);
  }

  /**
   * Reads a picture as {@link #read(Path)} does.
   *
   * @param bytes a picture's file; read to its end, left open
   * @param origin what messages call it
   * @return the picture
   * @throws IOException if the bytes cannot be read
   * @throws FileFormatException if they are no picture that can be read, or more than {@link
   *     ReadLimits#DEFAULTS} allow
   * @throws InvalidRequestException if a pixel is transparent
   */
  public static RgbImage read(InputStream bytes, String origin) throws IOException {
    return read(bytes, origin, ReadLimits.DEFAULTS);
  }

  /**
   * Reads a picture as {@link #read(Path)} does, within other limits.
   *
   * @param bytes a picture's file; read to its end, left open
   * @param origin what messages call it
   * @param limits on pixels and bytes
   * @return the picture
   * @throws IOException if the bytes cannot be read
   * @throws FileFormatException if they are no picture that can be read, or one beyond the limits
   * @throws InvalidRequestException if a pixel is transparent
   */
  public static RgbImage read(InputStream bytes, String origin, ReadLimits limits)
      throws IOException {
    byte[] file = bytes.readNBytes(limits.maxFileBytes() + 1);
    if (file.length > limits.maxFileBytes()) {
      throw new FileFormatException(
          origin + ": expected at most " + limits.maxFileBytes() + " bytes, found more");
    }
    return decoded(file, origin, limits);
  }

  private static RgbImage decoded(byte[] file, String origin, ReadLimits limits) {
    try {
      DecodedPicture picture = PictureDecoder.decode(origin, file, limits.maxPixels());
      return new RgbImage(picture.width(), picture.height(), picture.pixels());
    } catch (InvalidRequestException e) {
      throw e.withMessage(origin + ": " + e.getMessage());
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
    return resized(newWidth, newHeight, ResizeFilter.LANCZOS);
  }

  /**
   * Returns a copy in another size, to the last bit as Pillow makes it with the same filter. The
   * sides' proportion may change.
   *
   * @param newWidth pixels, positive
   * @param newHeight pixels, positive
   * @param filter how old pixels make new ones
   * @return the resized picture; this one where the size is the same
   * @throws IllegalArgumentException if a size is not positive
   */
  public RgbImage resized(int newWidth, int newHeight, ResizeFilter filter) {
    if (newWidth <= 0 || newHeight <= 0) {
      throw new IllegalArgumentException(
          "expected a positive size, got " + newWidth + "x" + newHeight);
    }
    return PillowResize.resize(this, newWidth, newHeight, filter);
  }

  /**
   * Returns a copy of a rectangle.
   *
   * @param left first column, at least 0
   * @param top first row, at least 0
   * @param newWidth columns, at least 1
   * @param newHeight rows, at least 1
   * @return the part; this picture where it is the whole
   * @throws IllegalArgumentException if it is empty or not within the picture
   */
  public RgbImage cropped(int left, int top, int newWidth, int newHeight) {
    boolean within =
        left >= 0
            && top >= 0
            && newWidth >= 1
            && newHeight >= 1
            && newWidth <= width - left
            && newHeight <= height - top;
    if (!within) {
      throw new IllegalArgumentException(
          String.format(
              "expected a part of %dx%d pixels, got %dx%d from column %d, row %d",
              width, height, newWidth, newHeight, left, top));
    }
    if (newWidth == width && newHeight == height) {
      return this;
    }
    int[] part = new int[newWidth * newHeight];
    for (int row = 0; row < newHeight; row++) {
      System.arraycopy(pixels, (top + row) * width + left, part, row * newWidth, newWidth);
    }
    return new RgbImage(newWidth, newHeight, part);
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
