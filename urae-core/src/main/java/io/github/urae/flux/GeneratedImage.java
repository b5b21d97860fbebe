package io.github.urae.flux;

import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import io.github.urae.internal.FileFailure;
import io.github.urae.internal.FileReplacement;
import io.github.urae.internal.SpecialFile;
import io.github.urae.tensor.Tensor;
import java.awt.image.BufferedImage;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.OptionalLong;

/** A picture with what it was made with and the latents it was decoded from. Immutable. */
public final class GeneratedImage {

  private final RgbImage picture;
  private final Tensor latents;
  private final GenerationRecord record;

  /**
   * Creates a picture.
   *
   * @param picture what was drawn
   * @param latents packed, float32 [1, tokens, 64]
   * @param record what it was drawn with
   */
  public GeneratedImage(RgbImage picture, Tensor latents, GenerationRecord record) {
    this.picture = Objects.requireNonNull(picture, "picture");
    this.latents = Objects.requireNonNull(latents, "latents");
    this.record = Objects.requireNonNull(record, "record");
  }

  /**
   * Returns the width.
   *
   * @return pixels
   */
  public int width() {
    return picture.width();
  }

  /**
   * Returns the height.
   *
   * @return pixels
   */
  public int height() {
    return picture.height();
  }

  /**
   * Returns what the picture was made with.
   *
   * @return the record, with everything a request left open filled in
   */
  public GenerationRecord record() {
    return record;
  }

  /**
   * Returns the request that draws this picture again, and no other.
   *
   * @return the record's request
   */
  public GenerationRequest request() {
    return record.request();
  }

  /**
   * Returns the picture as Java's own.
   *
   * @return a new 8-bit sRGB image, {@link BufferedImage#TYPE_INT_RGB}
   */
  public BufferedImage toBufferedImage() {
    return picture.toBufferedImage();
  }

  /**
   * Returns the picture, to start another generation from.
   *
   * @return the pixels
   */
  public RgbImage toRgbImage() {
    return picture;
  }

  /**
   * Returns the latents after the last step.
   *
   * @return float32 [1, tokens, 64], packed
   */
  public Tensor latents() {
    return latents;
  }

  /**
   * Writes the picture with its record.
   *
   * @param format such as PNG
   * @param out receives the bytes; left open
   * @throws IOException if writing fails
   */
  public void write(ImageFormat format, OutputStream out) throws IOException {
    format.write(picture, record.asText(), out);
  }

  /**
   * Saves the picture with its record, in the format that the file's name ends in. The file is on
   * the disk, and replaced as a whole, when this returns; if it fails, the file is as it was.
   *
   * <p>A symbolic link stays, and what it leads to is replaced. A device, a pipe or {@code
   * /dev/stdout} takes the bytes, as PNG unless its name ends otherwise.
   *
   * @param file path of the file, such as {@code a.png}; its folder must exist
   * @throws io.github.urae.InvalidRequestException if there is no such format, see {@link
   *     ImageFormat#of}
   * @throws IOException if the file cannot be written; the message names it and its size
   */
  public void save(Path file) throws IOException {
    if (SpecialFile.is(file)) {
      saveTo(file);
      return;
    }
    ImageFormat format = ImageFormat.of(file);
    FileReplacement.replace(
        file,
        () -> size(format),
        temporary -> {
          try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(temporary))) {
            write(format, out);
          }
        });
  }

  private void saveTo(Path special) throws IOException {
    ImageFormat format = ImageFormat.endingOf(special).orElse(ImageFormat.PNG);
    try (OutputStream out = new BufferedOutputStream(SpecialFile.open(special))) {
      write(format, out);
    } catch (IOException e) {
      throw FileFailure.ofWriting(special, size(format), e);
    }
  }

  /** Known only by encoding the picture once more. */
  private OptionalLong size(ImageFormat format) {
    long[] bytes = new long[1];
    OutputStream counting =
        new OutputStream() {
          @Override
          public void write(int b) {
            bytes[0]++;
          }

          @Override
          public void write(byte[] piece, int offset, int length) {
            bytes[0] += length;
          }
        };
    try {
      write(format, counting);
      return OptionalLong.of(bytes[0]);
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }
}
