package io.github.urae.onnx.internal.image;

import io.github.urae.CancellationToken;
import io.github.urae.flux.LatentPosterior;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.session.FiniteResults;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;

/**
 * Pixels to latents. Owns nothing.
 *
 * @param afterRun called after each run of the network, one for each tile
 */
public record ImageEncoder(NetworkUse encoder, VaeConfig config, Runnable afterRun) {

  /** What the logarithm of a variance is held to, as diffusers does. */
  private static final float MIN_LOG_VARIANCE = -30;

  private static final float MAX_LOG_VARIANCE = 20;

  /** Tells nobody of its runs. */
  public ImageEncoder(NetworkUse encoder, VaeConfig config) {
    this(encoder, config, () -> {});
  }

  /**
   * Encodes one picture.
   *
   * @param image height and width multiples of a token's
   * @param tiling whether to do so tile by tile
   * @return [2 C, h, w]: the means of the latents' C channels, then the logarithms of their
   *     variances
   */
  public Plane encode(RgbImage image, VaeTiling tiling, CancellationToken cancellation) {
    int height = image.height() / config.pixelsPerLatent();
    int width = image.width() / config.pixelsPerLatent();
    return VaeMemory.encodesInTiles(config, height, width, tiling)
        ? encodeTiles(image, cancellation)
        : encode(values(image, 0, 0, image.height(), image.width()), cancellation);
  }

  /** Runs the encoder on [3, H, W] in -1 to 1. */
  public Plane encode(Plane values, CancellationToken cancellation) {
    Tensor input = Tensor.ofFloats(values.values(), 1, 3, values.height(), values.width());
    float[] parameters =
        FiniteResults.checked(
            encoder.run(Map.of("sample", input), cancellation),
            found ->
                "the autoencoder cannot encode the picture, "
                    + found
                    + "; likely cause: its weights are"
                    + " damaged");
    afterRun.run();
    return new Plane(
        parameters,
        2 * config.latentChannels(),
        values.height() / config.pixelsPerLatent(),
        values.width() / config.pixelsPerLatent());
  }

  private Plane encodeTiles(RgbImage image, CancellationToken cancellation) {
    TileLayout latentLayout = TileLayout.ofLatents(config);
    TileLayout layout = latentLayout.times(config.pixelsPerLatent());
    int channels = 2 * config.latentChannels();
    int height = image.height() / config.pixelsPerLatent();
    int width = image.width() / config.pixelsPerLatent();
    Plane whole = new Plane(new float[channels * height * width], channels, height, width);
    int columns = layout.count(image.width());
    TileBlender blender = new TileBlender(latentLayout, columns, whole::put);
    for (int row = 0; row < layout.count(image.height()); row++) {
      for (int column = 0; column < columns; column++) {
        Plane tile =
            values(
                image,
                layout.start(row),
                layout.start(column),
                layout.length(row, image.height()),
                layout.length(column, image.width()));
        blender.add(row, column, encode(tile, cancellation));
      }
    }
    return whole;
  }

  /** Returns a rectangle of a picture as [3, H, W] in -1 to 1. */
  private static Plane values(RgbImage image, int top, int left, int height, int width) {
    Plane values = new Plane(new float[3 * height * width], 3, height, width);
    for (int channel = 0; channel < 3; channel++) {
      int shift = 16 - 8 * channel;
      for (int row = 0; row < height; row++) {
        int first = values.index(channel, row, 0);
        for (int column = 0; column < width; column++) {
          int level = image.pixel(left + column, top + row) >> shift & 0xFF;
          values.values()[first + column] = 2 * (level / 255f) - 1;
        }
      }
    }
    return values;
  }

  /**
   * Draws latents around the means, with scaling and shift.
   *
   * @param encoded from {@link #encode}
   * @param noise standard normal, from an offset on
   * @return [C, h, w]
   */
  public float[] sample(Plane encoded, float[] noise, int offset) {
    int count = elements(encoded);
    float scaling = (float) config.scalingFactor();
    float shift = (float) config.shiftFactor();
    float[] latents = new float[count];
    for (int i = 0; i < count; i++) {
      float deviation = deviation(encoded.values()[count + i]);
      latents[i] = (encoded.values()[i] + deviation * noise[offset + i] - shift) * scaling;
    }
    return latents;
  }

  /**
   * Returns means and deviations, without scaling and shift.
   *
   * @param encoded from {@link #encode}
   */
  public LatentPosterior posterior(Plane encoded) {
    int count = elements(encoded);
    float[] means = Arrays.copyOf(encoded.values(), count);
    float[] deviations = new float[count];
    for (int i = 0; i < count; i++) {
      deviations[i] = deviation(encoded.values()[count + i]);
    }
    int channels = config.latentChannels();
    return new LatentPosterior(
        Tensor.ofFloats(means, channels, encoded.height(), encoded.width()),
        Tensor.ofFloats(deviations, channels, encoded.height(), encoded.width()));
  }

  private int elements(Plane encoded) {
    return config.latentChannels() * encoded.height() * encoded.width();
  }

  private static float deviation(float logVariance) {
    float held = Math.max(MIN_LOG_VARIANCE, Math.min(MAX_LOG_VARIANCE, logVariance));
    return (float) Math.exp(0.5f * held);
  }
}
