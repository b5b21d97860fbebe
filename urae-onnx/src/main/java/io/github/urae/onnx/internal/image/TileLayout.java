package io.github.urae.onnx.internal.image;

import io.github.urae.flux.model.internal.VaeConfig;

/**
 * How diffusers lays tiles over a picture for the autoencoder: as large as the checkpoint's native
 * size, each starting three quarters of a tile after the one before, the last ones cut off by the
 * picture's edge. All numbers are in latent elements, or in pixels, which are 8 times as many.
 *
 * @param size height and width of a tile
 * @param stride distance from one tile to the next
 * @param overlap rows and columns over which neighbours are blended
 */
public record TileLayout(int size, int stride, int overlap) {

  /** Quarters of a tile must be whole latent elements. */
  private static final int QUARTERS = 4;

  /** Returns the layout over latents, for decoding. */
  public static TileLayout ofLatents(VaeConfig config) {
    int quarter = Math.max(1, config.sampleSize() / config.pixelsPerLatent() / QUARTERS);
    return new TileLayout(QUARTERS * quarter, (QUARTERS - 1) * quarter, quarter);
  }

  /** Returns the same layout in units of which one makes several: pixels, in place of latents. */
  TileLayout times(int factor) {
    return new TileLayout(size * factor, stride * factor, overlap * factor);
  }

  /** Tells whether a plane is larger than one tile. */
  boolean divides(int height, int width) {
    return height > size || width > size;
  }

  /** Returns the number of tiles along an axis. */
  public int count(int length) {
    return (length + stride - 1) / stride;
  }

  /** Returns where a tile starts. */
  public int start(int index) {
    return index * stride;
  }

  /** Returns the length of a tile, shorter at the picture's edge. */
  public int length(int index, int axisLength) {
    return Math.min(size, axisLength - start(index));
  }
}
