package io.github.urae.onnx.internal.image;

/**
 * Joins overlapping tiles into one plane: a linear blend over the overlap, first with the tile
 * above, then with the one to the left, as diffusers' {@code blend_v} and {@code blend_h} do. Tiles
 * come row by row and from left to right; what is finished is handed on at once, and of the tiles
 * above only their lowest rows are kept. Not thread-safe.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/autoencoder_kl.py">
 *     diffusers: {@code AutoencoderKL.tiled_decode}</a>
 */
public final class TileBlender {

  /** Takes finished parts. */
  @FunctionalInterface
  public interface Sink {

    /**
     * Takes the upper left part of a tile.
     *
     * @param top row of the plane that the part begins at
     * @param left column of the plane that the part begins at
     * @param height rows of the part
     * @param width columns of the part
     */
    void accept(Plane tile, int top, int left, int height, int width);
  }

  private final TileLayout layout;
  private final Plane[] above;
  private final Sink sink;
  private Plane left;

  /**
   * Starts a plane.
   *
   * @param layout tiles in units of the plane
   * @param columns number of tiles in a row
   */
  public TileBlender(TileLayout layout, int columns, Sink sink) {
    this.layout = layout;
    this.above = new Plane[columns];
    this.sink = sink;
  }

  /** Adds the next tile; its values are blended in place. */
  public void add(int row, int column, Plane tile) {
    if (row > 0) {
      blendWithAboveInPlace(above[column], tile);
    }
    if (column > 0) {
      blendWithLeftInPlace(left, tile);
    }
    int height = Math.min(layout.stride(), tile.height());
    int width = Math.min(layout.stride(), tile.width());
    sink.accept(tile, layout.start(row), layout.start(column), height, width);
    int kept = Math.min(layout.overlap(), tile.height());
    above[column] = tile.part(tile.height() - kept, 0, kept, tile.width());
    left = tile;
  }

  private void blendWithAboveInPlace(Plane upper, Plane tile) {
    int extent = Math.min(layout.overlap(), Math.min(upper.height(), tile.height()));
    for (int channel = 0; channel < tile.channels(); channel++) {
      for (int row = 0; row < extent; row++) {
        float lowerShare = share(row, extent);
        float upperShare = otherShare(row, extent);
        int from = upper.index(channel, upper.height() - extent + row, 0);
        int to = tile.index(channel, row, 0);
        for (int column = 0; column < tile.width(); column++) {
          tile.values()[to + column] =
              upper.values()[from + column] * upperShare + tile.values()[to + column] * lowerShare;
        }
      }
    }
  }

  private void blendWithLeftInPlace(Plane before, Plane tile) {
    int extent = Math.min(layout.overlap(), Math.min(before.width(), tile.width()));
    float[] shares = new float[extent];
    float[] otherShares = new float[extent];
    for (int i = 0; i < extent; i++) {
      shares[i] = share(i, extent);
      otherShares[i] = otherShare(i, extent);
    }
    for (int channel = 0; channel < tile.channels(); channel++) {
      for (int row = 0; row < tile.height(); row++) {
        int from = before.index(channel, row, before.width() - extent);
        int to = tile.index(channel, row, 0);
        for (int column = 0; column < extent; column++) {
          tile.values()[to + column] =
              before.values()[from + column] * otherShares[column]
                  + tile.values()[to + column] * shares[column];
        }
      }
    }
  }

  private static float share(int position, int extent) {
    return (float) ((double) position / extent);
  }

  private static float otherShare(int position, int extent) {
    return (float) (1 - (double) position / extent);
  }
}
