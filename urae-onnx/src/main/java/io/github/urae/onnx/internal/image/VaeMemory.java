package io.github.urae.onnx.internal.image;

import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.VaeConfig;

/**
 * How much memory the autoencoder takes, and from where on it works tile by tile.
 *
 * <p>Its peak lies where the picture is widest at full size: in the decoder after the last
 * enlargement, with the channels of the level below, in the encoder at its beginning. There a
 * handful of such tensors exist at once: input, normalised, activated, convolved. On the processor,
 * 4.2 times the widest tensor were measured from 1024 pixels a side on ({@code ./benchmark
 * decoder-memory}).
 */
public final class VaeMemory {

  private static final double WIDEST_TENSORS = 4.2;

  /** A whole picture that takes more than this is worked on in tiles. */
  private static final long MOST_AS_A_WHOLE = 4L << 30;

  private VaeMemory() {}

  /** Tells whether latents are decoded in tiles. */
  public static boolean decodesInTiles(VaeConfig config, int rows, int columns, VaeTiling tiling) {
    return inTiles(config, rows, columns, tiling, config.channels().get(1));
  }

  /** Tells whether a picture is encoded in tiles, by the size of its latents. */
  public static boolean encodesInTiles(VaeConfig config, int rows, int columns, VaeTiling tiling) {
    return inTiles(config, rows, columns, tiling, config.channels().get(0));
  }

  private static boolean inTiles(
      VaeConfig config, int rows, int columns, VaeTiling tiling, int channels) {
    if (!TileLayout.ofLatents(config).divides(rows, columns)) {
      return false;
    }
    return switch (tiling) {
      case ON -> true;
      case OFF -> false;
      case AUTO -> bytes(config, rows, columns, channels) > MOST_AS_A_WHOLE;
    };
  }

  /** Returns the bytes that decoding a picture is expected to take at its peak. */
  public static long decoderBytes(VaeConfig config, LatentGrid grid, VaeTiling tiling) {
    int rows = grid.latentHeight();
    int columns = grid.latentWidth();
    boolean tiles = decodesInTiles(config, rows, columns, tiling);
    return bytes(config, rows, columns, tiles, config.channels().get(1));
  }

  /** Returns the bytes that encoding a picture is expected to take at its peak. */
  public static long encoderBytes(VaeConfig config, LatentGrid grid, VaeTiling tiling) {
    int rows = grid.latentHeight();
    int columns = grid.latentWidth();
    boolean tiles = encodesInTiles(config, rows, columns, tiling);
    return bytes(config, rows, columns, tiles, config.channels().get(0));
  }

  private static long bytes(VaeConfig config, int rows, int columns, boolean tiles, int channels) {
    int tile = TileLayout.ofLatents(config).size();
    return tiles
        ? bytes(config, Math.min(tile, rows), Math.min(tile, columns), channels)
        : bytes(config, rows, columns, channels);
  }

  private static long bytes(VaeConfig config, int rows, int columns, int channels) {
    long pixels = (long) rows * columns * config.pixelsPerLatent() * config.pixelsPerLatent();
    return (long) (WIDEST_TENSORS * channels * pixels * Float.BYTES);
  }
}
