package io.github.urae.flux.arithmetic;

import io.github.urae.InvalidRequestException;

/**
 * The latent form of a picture: 16 channels at an eighth of its size, packed into one token for
 * each 2x2 patch, that is for each 16x16 pixels.
 *
 * <p>Packed channel {@code c*4 + ph*2 + pw} of token {@code row*columns + column} is latent channel
 * {@code c} at {@code (2*row + ph, 2*column + pw)}.
 *
 * @param width picture width in pixels, a positive multiple of 16
 * @param height picture height in pixels, a positive multiple of 16
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/flux/pipeline_flux.py">
 *     diffusers: {@code _pack_latents}, {@code _unpack_latents}</a>
 */
public record LatentGrid(int width, int height) {

  /** Latent channels of FLUX's autoencoder. */
  public static final int CHANNELS = 16;

  /** Channels of a packed token: 16 latent channels of a 2x2 patch. */
  public static final int PACKED_CHANNELS = CHANNELS * 4;

  /** Pixels a side of one latent element. */
  public static final int PIXELS_PER_LATENT = 8;

  /** Pixels a side of one token. */
  public static final int PIXELS_PER_TOKEN = 16;

  /**
   * Checks the sizes.
   *
   * @param width as above
   * @param height as above
   */
  public LatentGrid {
    checkSize("width", width);
    checkSize("height", height);
  }

  private static void checkSize(String name, int pixels) {
    if (pixels <= 0 || pixels % PIXELS_PER_TOKEN != 0) {
      int lower = Math.max(1, pixels / PIXELS_PER_TOKEN) * PIXELS_PER_TOKEN;
      throw new InvalidRequestException(
          name
              + ": expected a positive multiple of "
              + PIXELS_PER_TOKEN
              + " pixels, found "
              + pixels
              + (pixels > 0
                  ? "; nearest are " + lower + " and " + (lower + PIXELS_PER_TOKEN)
                  : ""));
    }
  }

  /**
   * Returns the number of token rows.
   *
   * @return height / 16
   */
  public int rows() {
    return height / PIXELS_PER_TOKEN;
  }

  /**
   * Returns the number of token columns.
   *
   * @return width / 16
   */
  public int columns() {
    return width / PIXELS_PER_TOKEN;
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
   * Returns the height of the latent picture.
   *
   * @return height / 8
   */
  public int latentHeight() {
    return height / PIXELS_PER_LATENT;
  }

  /**
   * Returns the width of the latent picture.
   *
   * @return width / 8
   */
  public int latentWidth() {
    return width / PIXELS_PER_LATENT;
  }

  /**
   * Returns the number of latent elements of one picture, packed or not.
   *
   * @return tokens times 64
   * @throws InvalidRequestException if they are more than a Java array holds
   */
  public int latentElements() {
    long elements = tokens() * PACKED_CHANNELS;
    if (elements > Integer.MAX_VALUE) {
      throw new InvalidRequestException(
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
   * @param latents [B, 16, H/8, W/8], row-major; unchanged
   * @return [B, tokens, 64]
   * @throws IllegalArgumentException if the length is no multiple of one picture's
   */
  public float[] pack(float[] latents) {
    return rearrange(latents, true);
  }

  /**
   * Unpacks tokens into latents.
   *
   * @param tokens [B, tokens, 64], row-major; unchanged
   * @return [B, 16, H/8, W/8]
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
    int latentWidth = latentWidth();
    int planeSize = latentHeight() * latentWidth;
    for (int picture = 0; picture < source.length; picture += perPicture) {
      for (int token = 0; token < tokens(); token++) {
        int corner = 2 * (token / columns()) * latentWidth + 2 * (token % columns());
        for (int channel = 0; channel < PACKED_CHANNELS; channel++) {
          int ph = (channel >> 1) & 1;
          int pw = channel & 1;
          int packed = picture + token * PACKED_CHANNELS + channel;
          int unpacked = picture + (channel >> 2) * planeSize + corner + ph * latentWidth + pw;
          if (pack) {
            target[packed] = source[unpacked];
          } else {
            target[unpacked] = source[packed];
          }
        }
      }
    }
    return target;
  }
}
