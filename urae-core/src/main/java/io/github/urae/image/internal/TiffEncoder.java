package io.github.urae.image.internal;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Map;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.plugins.tiff.BaselineTIFFTagSet;
import javax.imageio.plugins.tiff.TIFFDirectory;
import javax.imageio.plugins.tiff.TIFFField;
import javax.imageio.plugins.tiff.TIFFTag;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Writes TIFF, packed without loss, with texts in its description. */
public final class TiffEncoder {

  private static final String COMPRESSION = "ZLib";

  private TiffEncoder() {}

  /**
   * Writes a picture.
   *
   * @param out left open
   */
  public static void write(BufferedImage image, Map<String, String> texts, OutputStream out)
      throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("tiff").next();
    // A stream of its own kind: ImageIO's default would write a temporary file.
    try (ImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
      ImageWriteParam settings = writer.getDefaultWriteParam();
      settings.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
      settings.setCompressionType(COMPRESSION);
      IIOMetadata metadata =
          writer.getDefaultImageMetadata(
              ImageTypeSpecifier.createFromRenderedImage(image), settings);
      if (!texts.isEmpty()) {
        metadata = described(metadata, ImageTexts.asOne(texts));
      }
      writer.setOutput(stream);
      writer.write(null, new IIOImage(image, null, metadata), settings);
    } finally {
      writer.dispose();
    }
  }

  private static IIOMetadata described(IIOMetadata metadata, String text) throws IOException {
    TIFFDirectory directory = TIFFDirectory.createFromMetadata(metadata);
    TIFFTag description =
        BaselineTIFFTagSet.getInstance().getTag(BaselineTIFFTagSet.TAG_IMAGE_DESCRIPTION);
    directory.addTIFFField(new TIFFField(description, TIFFTag.TIFF_ASCII, 1, new String[] {text}));
    return directory.getAsMetadata();
  }
}
