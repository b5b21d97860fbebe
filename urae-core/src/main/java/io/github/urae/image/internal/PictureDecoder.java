package io.github.urae.image.internal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.github.urae.FileFormatException;
import io.github.urae.UraeException;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/**
 * Files to pixels, as diffusers' {@code load_image} reads them with Pillow: turned upright, without
 * regard to colour profiles, in 8 bits.
 */
public final class PictureDecoder {

  /** Read by the Java platform without a mark of their own: whatever begins with a zero. */
  private static final String UNMARKED = "wbmp";

  /** Other threads work, too, and would be the ones that find no memory. */
  private static final double SHARE_OF_HEAP = 0.6;

  private PictureDecoder() {}

  /**
   * Decodes a picture.
   *
   * @param origin what messages call it
   * @param file all bytes of its file
   * @param maxPixels the largest picture that is decoded
   * @throws FileFormatException if it is no picture, damaged or larger
   * @throws io.github.urae.InvalidRequestException if a pixel is transparent
   */
  public static DecodedPicture decode(String origin, byte[] file, long maxPixels) {
    String start = new String(file, 0, Math.min(file.length, 16), ISO_8859_1);
    if (start.startsWith(new String(PngFile.SIGNATURE, ISO_8859_1))) {
      return decode(origin, PngFile.read(origin, file), maxPixels);
    }
    if (start.startsWith("\u00FF\u00D8\u00FF")) {
      return decode(origin, JpegFile.read(origin, file), maxPixels);
    }
    if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) {
      return decode(origin, WebpFile.read(origin, file), maxPixels);
    }
    if (start.startsWith("II*\0") || start.startsWith("MM\0*")) {
      return decode(origin, TiffFile.read(origin, file), maxPixels);
    }
    ForeignPicture.describe(file)
        .ifPresent(
            found -> {
              throw new FileFormatException(
                  origin
                      + ": expected a picture (PNG, JPEG, WebP, TIFF, GIF, BMP), found "
                      + found);
            });
    // The decoder tells the size: GIF, BMP, or what plugins of the application read.
    return decode(origin, new PictureFile(file, 0, 0, 0, 4, CameraNotes.UPRIGHT), maxPixels);
  }

  private static DecodedPicture decode(String origin, PictureFile file, long maxPixels) {
    checkSize(origin, file, file.width(), file.height(), maxPixels);
    try (ImageInputStream stream = new PictureInput(file.content())) {
      ImageReader reader = reader(origin, stream);
      try {
        reader.setInput(stream, true, true);
        checkSize(origin, file, reader.getWidth(0), reader.getHeight(0), maxPixels);
        return pixels(reader, file).upright(file.orientation());
      } finally {
        reader.dispose();
      }
    } catch (UraeException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // Readers answer damaged files with whatever goes wrong first.
      throw new FileFormatException(origin + ": the picture cannot be read: " + e.getMessage(), e);
    } catch (OutOfMemoryError e) {
      throw new FileFormatException(
          origin
              + ": the picture does not fit into Java's memory; allow more with -Xmx, or save it"
              + " smaller",
          e);
    }
  }

  private static ImageReader reader(String origin, ImageInputStream stream) throws IOException {
    Iterator<ImageReader> readers = ImageIO.getImageReaders(stream);
    while (readers.hasNext()) {
      ImageReader reader = readers.next();
      if (!reader.getFormatName().equals(UNMARKED)) {
        return reader;
      }
    }
    throw new FileFormatException(
        origin
            + ": expected a picture, one of [png, jpg, webp, tif, gif, bmp], found something else");
  }

  private static void checkSize(
      String origin, PictureFile file, int width, int height, long maxPixels) {
    long pixels = (long) width * height;
    if (width < 0 || height < 0 || pixels > maxPixels) {
      throw new FileFormatException(
          origin
              + ": expected a picture of at most "
              + maxPixels
              + " pixels, found "
              + Integer.toUnsignedString(width)
              + "x"
              + Integer.toUnsignedString(height));
    }
    // Turned pictures are there twice.
    int copies = file.orientation() == CameraNotes.UPRIGHT ? 1 : 2;
    long needed =
        pixels * (file.pixelBytes() + copies * Integer.BYTES) + 2L * file.content().length;
    if (needed > SHARE_OF_HEAP * Runtime.getRuntime().maxMemory()) {
      throw new FileFormatException(
          origin
              + ": a picture of "
              + width
              + "x"
              + height
              + " pixels takes "
              + (needed >> 20)
              + " MB, too much of Java's "
              + (Runtime.getRuntime().maxMemory() >> 20)
              + "; allow more with -Xmx, or save it smaller");
    }
  }

  private static DecodedPicture pixels(ImageReader reader, PictureFile file) throws IOException {
    if (file.components() == 4 && reader.canReadRaster()) {
      Raster raster = reader.readRaster(0, null);
      return Cmyk.ofJpeg(raster, JpegFile.hasLuminance(file));
    }
    BufferedImage image = reader.read(0);
    ColorModel colours = image.getColorModel();
    if (colours.getColorSpace().getType() == ColorSpace.TYPE_CMYK
        && colours.getNumComponents() == 4
        && colours.getComponentSize(0) == Byte.SIZE) {
      return Cmyk.ofTiff(image.getRaster());
    }
    return new DecodedPicture(image.getWidth(), image.getHeight(), ImagePixels.of(image));
  }
}
