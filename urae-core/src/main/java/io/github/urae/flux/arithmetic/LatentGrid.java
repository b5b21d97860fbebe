package io.github.urae.flux.arithmetic;

import io.github.urae.InvalidRequestException;

/**
 * The latent form of a picture, packed into tokens. For FLUX.1: 16 channels at an eighth of its
 * size, one token for each 2x2 patch, that is for each 16x16 pixels.
 *
 * <p>With P the side of a patch, packed channel {@code (c*P + ph)*P + pw} of token {@code
 * row*columns + column} is latent channel {@code c} at {@code (P*row + ph, P*column + pw)}.
 *
 * @param layout what latents look like
 * @param width picture width in pixels, a positive multiple of {@link LatentLayout#pixelsPerToken}
 * @param height picture height in pixels, such a multiple, too
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/flux/pipeline_flux.py">
 *     diffusers: {@code _pack_latents}, {@code _unpack_latents}</a>
 */
public record LatentGrid(LatentLayout layout, int width, int height) {

  /**
   * Checks the sizes.
   *
   * @param layout as above
   * @param width as above
   * @param height as above
   * @throws InvalidRequestException if a side is no positive multiple of a token's
   */
  public LatentGrid {
    checkSize("width", width, layout.pixelsPerToken());
    checkSize("height", height, layout.pixelsPerToken());
  }

  private static void checkSize(String name, int pixels, int unit) {
    if (pixels <= 0 || pixels % unit != 0) {
      int lower = Math.max(1, pixels / unit) * unit;
      throw InvalidRequestException.of(
          name,
          name
              + ": expected a positive multiple of "
              + unit
              + " pixels, found "
              + pixels
              + (pixels > 0 ? "; nearest are " + lower + " and " + (lower + unit) : ""));
    }
  }

  /**
   * Returns the number of token rows.
   *
   * @return the height in tokens
   */
  public int rows() {
    return height / layout.pixelsPerToken();
  }

  /**
   * Returns the number of token columns.
   *
   * @return the width in tokens
   */
  public int columns() {
    return width / layout.pixelsPerToken();
  }

  /**
   * Returns the number of image tokens.
   *
   * @return rows times columns
   */
  public long tokens() {
    return (long) rows() * columns();
  }

  /**
   * Returns the height of the latent picture, h.
   *
   * @return the height in latent elements
   */
  public int latentHeight() {
    return height / layout.pixelsPerLatent();
  }

  /**
   * Returns the width of the latent picture, w.
   *
   * @return the width in latent elements
   */
  public int latentWidth() {
    return width / layout.pixelsPerLatent();
  }

  /**
   * Returns the number of latent elements of one picture, packed or not.
   *
   * @return tokens times packed channels
   * @throws InvalidRequestException if they are more than a Java array holds
   */
  public int latentElements() {
    long elements = tokens() * layout.packedChannels();
    if (elements > Integer.MAX_VALUE) {
      throw InvalidRequestException.of(
          "size",
          width
              + "x"
              + height
              + " pixels: too large, the latents would have "
              + elements
              + " elements");
    }
    return (int) elements;
  }

  /**
   * Packs latents into tokens.
   *
   * @param latents [B, channels, h, w], row-major; unchanged
   * @return [B, tokens, packed channels]
   * @throws IllegalArgumentException if the length is no multiple of one picture's
   */
  public float[] pack(float[] latents) {
    return rearrange(latents, true);
  }

  /**
   * Unpacks tokens into latents.
   *
   * @param tokens [B, tokens, packed channels], row-major; unchanged
   * @return [B, channels, h, w]
   * @throws IllegalArgumentException if the length is no multiple of one picture's
   */
  public float[] unpack(float[] tokens) {
    return rearrange(tokens, false);
  }

  private float[] rearrange(float[] source, boolean pack) {
    int perPicture = latentElements();
    if (source.length % perPicture != 0) {
      throw new IllegalArgumentException(
          "expected a multiple of " + perPicture + " elements, got " + source.length);
    }
    float[] target = new float[source.length];
    int patch = layout.patch();
    int packedChannels = layout.packedChannels();
    int latentWidth = latentWidth();
    int planeSize = latentHeight() * latentWidth;
    int[] places = new int[packedChannels];
    for (int channel = 0; channel < packedChannels; channel++) {
      int ph = channel / patch % patch;
      int pw = channel % patch;
      places[channel] = channel / (patch * patch) * planeSize + ph * latentWidth + pw;
    }
    for (int picture = 0; picture < source.length; picture += perPicture) {
      for (int token = 0; token < tokens(); token++) {
        int corner = patch * (token / columns() * latentWidth + token % columns());
        int packed = picture + token * packedChannels;
        for (int channel = 0; channel < packedChannels; channel++) {
          int unpacked = picture + corner + places[channel];
          if (pack) {
            target[packed + channel] = source[unpacked];
          } else {
            target[unpacked] = source[packed + channel];
          }
        }
      }
    }
    return target;
  }

  /**
   * Returns the size of a draft that is drawn before a picture of this size.
   *
   * @param nativeSize pixels a side of the checkpoint's native size
   * @return at most the native area, in the same proportions up to rounding
   * @throws InvalidRequestException if this is no larger than the native area
   */
  public LatentGrid draft(int nativeSize) {
    double shrink = nativeSize / Math.sqrt((double) width * height);
    if (shrink >= 1) {
      throw InvalidRequestException.of(
          "start",
          "coarse to fine: expected a picture above the native area of "
              + nativeSize
              + "x"
              + nativeSize
              + " pixels, found "
              + width
              + "x"
              + height);
    }
    int unit = layout.pixelsPerToken();
    return new LatentGrid(layout, shrunk(width, shrink, unit), shrunk(height, shrink, unit));
  }

  private static int shrunk(int pixels, double shrink, int unit) {
    int tokens = (int) Math.rint(pixels * shrink / unit);
    return Math.max(1, tokens) * unit;
  }
}
