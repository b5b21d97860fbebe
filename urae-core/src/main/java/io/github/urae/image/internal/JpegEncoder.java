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
import javax.imageio.metadata.IIOMetadataNode;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.w3c.dom.Node;

/** Writes JPEG with texts in its comment. */
public final class JpegEncoder {

  /** Name of the Java platform's metadata tree for JPEG. */
  private static final String METADATA_FORMAT = "javax_imageio_jpeg_image_1.0";

  /** Most bytes of one comment segment; longer comments go on in the next. */
  private static final int SEGMENT_BYTES = 65_000;

  private JpegEncoder() {}

  /**
   * Writes a picture.
   *
   * @param quality 0 to 1
   * @param out left open
   */
  public static void write(
      BufferedImage image, float quality, Map<String, String> texts, OutputStream out)
      throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    // A stream of its own kind: ImageIO's default would write a temporary file.
    try (ImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
      ImageWriteParam settings = writer.getDefaultWriteParam();
      settings.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
      settings.setCompressionQuality(quality);
      IIOMetadata metadata =
          writer.getDefaultImageMetadata(
              ImageTypeSpecifier.createFromRenderedImage(image), settings);
      if (!texts.isEmpty()) {
        IIOMetadataNode root = (IIOMetadataNode) metadata.getAsTree(METADATA_FORMAT);
        addComments((IIOMetadataNode) root.getLastChild(), ImageTexts.asOne(texts));
        metadata.setFromTree(METADATA_FORMAT, root);
      }
      writer.setOutput(stream);
      writer.write(null, new IIOImage(image, null, metadata), settings);
    } finally {
      writer.dispose();
    }
  }

  private static void addComments(IIOMetadataNode segments, String text) {
    Node first = segments.getFirstChild();
    for (int start = 0; start < text.length(); start += SEGMENT_BYTES) {
      IIOMetadataNode comment = new IIOMetadataNode("com");
      comment.setAttribute(
          "comment", text.substring(start, Math.min(text.length(), start + SEGMENT_BYTES)));
      segments.insertBefore(comment, first);
    }
  }
}
