package io.github.urae.image.internal;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Map;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriter;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Writes PNG with text chunks. */
public final class PngEncoder {

  /** Name of the Java platform's metadata tree for PNG. */
  private static final String METADATA_FORMAT = "javax_imageio_png_1.0";

  private PngEncoder() {}

  /**
   * Writes a picture. Texts go to {@code iTXt} chunks, which are UTF-8.
   *
   * @param out left open
   */
  public static void write(BufferedImage image, Map<String, String> texts, OutputStream out)
      throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("png").next();
    // A stream of its own kind: ImageIO's default would write a temporary file.
    try (ImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
      IIOMetadata metadata =
          writer.getDefaultImageMetadata(
              ImageTypeSpecifier.createFromRenderedImage(image), writer.getDefaultWriteParam());
      metadata.mergeTree(METADATA_FORMAT, textChunks(texts));
      writer.setOutput(stream);
      writer.write(new IIOImage(image, null, metadata));
    } finally {
      writer.dispose();
    }
  }

  private static IIOMetadataNode textChunks(Map<String, String> texts) {
    IIOMetadataNode chunks = new IIOMetadataNode("iTXt");
    texts.forEach(
        (key, value) -> {
          IIOMetadataNode entry = new IIOMetadataNode("iTXtEntry");
          entry.setAttribute("keyword", key);
          entry.setAttribute("compressionFlag", "FALSE");
          entry.setAttribute("compressionMethod", "0");
          entry.setAttribute("languageTag", "");
          entry.setAttribute("translatedKeyword", "");
          entry.setAttribute("text", value);
          chunks.appendChild(entry);
        });
    IIOMetadataNode root = new IIOMetadataNode(METADATA_FORMAT);
    root.appendChild(chunks);
    return root;
  }
}
