package io.github.urae.flux;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.image.RgbImage;
import io.github.urae.image.internal.PngEncoder;
import io.github.urae.internal.FileReplacement;
import io.github.urae.tensor.Tensor;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferInt;
import java.awt.image.DirectColorModel;
import java.awt.image.Raster;
import java.awt.image.SampleModel;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A picture with the settings it was made with and the latents it was decoded from. Immutable. */
public final class GeneratedImage {

  private final LatentGrid size;
  private final int[] pixels;
  private final float[] latents;
  private final GenerationSettings settings;

  /**
   * Takes over arrays.
   *
   * @param size of the picture
   * @param pixels 0xRRGGBB, row by row
   * @param latents packed [tokens, 64]
   * @param settings what it was drawn with
   */
  public GeneratedImage(
      LatentGrid size, int[] pixels, float[] latents, GenerationSettings settings) {
    this.size = size;
    this.pixels = pixels;
    this.latents = latents;
    this.settings = settings;
  }

  /**
   * Returns the width.
   *
   * @return pixels
   */
  public int width() {
    return size.width();
  }

  /**
   * Returns the height.
   *
   * @return pixels
   */
  public int height() {
    return size.height();
  }

  /**
   * Returns what the picture was made with.
   *
   * @return the settings, with everything a request left open filled in
   */
  public GenerationSettings settings() {
    return settings;
  }

  /**
   * Returns the picture.
   *
   * @return a new 8-bit sRGB image, {@link BufferedImage#TYPE_INT_RGB}
   */
  public BufferedImage toBufferedImage() {
    BufferedImage image = new BufferedImage(width(), height(), BufferedImage.TYPE_INT_RGB);
    image.getRaster().setDataElements(0, 0, width(), height(), pixels);
    return image;
  }

  /** Returns the picture's pixels themselves as an image, no copy. */
  private BufferedImage view() {
    ColorModel colours = new DirectColorModel(24, 0xFF0000, 0xFF00, 0xFF);
    SampleModel layout = colours.createCompatibleSampleModel(width(), height());
    DataBuffer data = new DataBufferInt(pixels, pixels.length);
    return new BufferedImage(colours, Raster.createWritableRaster(layout, data, null), false, null);
  }

  /**
   * Returns the picture, to start another generation from.
   *
   * @return the same pixels
   */
  public RgbImage toRgbImage() {
    return RgbImage.of(width(), height(), pixels);
  }

  /**
   * Returns the latents after the last step.
   *
   * @return float32 [1, tokens, 64], packed; a copy
   */
  public Tensor latents() {
    return Tensor.ofFloats(latents, 1, size.tokens(), size.layout().packedChannels());
  }

  /**
   * Writes the picture as PNG, with all settings in its text chunks.
   *
   * @param out receives the bytes; left open
   * @throws IOException if writing fails
   */
  public void writePng(OutputStream out) throws IOException {
    PngEncoder.write(view(), settings.asText(), out);
  }

  /**
   * Saves the picture as a PNG file with all settings in its text chunks. The file is replaced as a
   * whole; if this fails, it is as it was.
   *
   * @param file path of the file; its folder must exist
   * @throws IOException if the file cannot be written
   */
  public void save(Path file) throws IOException {
    FileReplacement.replace(
        file,
        temporary -> {
          try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(temporary))) {
            writePng(out);
          }
        });
  }
}
