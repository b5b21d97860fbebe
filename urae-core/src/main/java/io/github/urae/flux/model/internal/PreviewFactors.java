package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.internal.JsonConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * A linear map from latents, with scaling and shift, to colours: red, green and blue in -1 to 1 are
 * sums over the channels and a constant. Belongs to one autoencoder.
 *
 * <p>A checkpoint may have its own beside its autoencoder, {@code preview_factors.json}: {@code
 * {"factors": [[r, g, b], ...], "constant": [r, g, b]}}, with a row of factors for each latent
 * channel. {@code ./benchmark preview-factors} computes and writes such a file.
 *
 * @param rows red, green and blue for each channel
 * @param constant red, green and blue
 */
public record PreviewFactors(List<List<Double>> rows, List<Double> constant) {

  /** The file's name, in the autoencoder's folder. */
  public static final String FILE = "preview_factors.json";

  private static final int COLOURS = 3;

  /** Copies the lists. */
  public PreviewFactors {
    rows = rows.stream().map(List::copyOf).toList();
    constant = List.copyOf(constant);
  }

  /**
   * Returns factors without a constant.
   *
   * @param values red, green and blue for the first channel, then for the next
   * @return the map
   */
  static PreviewFactors of(double... values) {
    List<List<Double>> rows = new ArrayList<>();
    for (int i = 0; i < values.length; i += COLOURS) {
      rows.add(List.of(values[i], values[i + 1], values[i + 2]));
    }
    return new PreviewFactors(rows, List.of(0.0, 0.0, 0.0));
  }

  /**
   * Reads the factors.
   *
   * @param config the content of {@code preview_factors.json}
   * @param channels latent channels of the checkpoint
   * @return its values
   * @throws ModelException if they are not of this form, or for another number of channels
   */
  public static PreviewFactors from(JsonConfig config, int channels) {
    List<List<Double>> rows = config.numberRows("factors", COLOURS);
    if (rows.size() != channels) {
      throw config.unsupported(
          "factors", channels + " rows, one for each latent channel of the autoencoder");
    }
    return new PreviewFactors(rows, config.numbers("constant", COLOURS));
  }

  /**
   * Returns a factor.
   *
   * @param channel latent channel
   * @param colour 0 red, 1 green, 2 blue
   * @return what the channel's value is multiplied by
   */
  public float factor(int channel, int colour) {
    return rows.get(channel).get(colour).floatValue();
  }

  /**
   * Returns a constant.
   *
   * @param colour 0 red, 1 green, 2 blue
   * @return what is added to the sum
   */
  public float constant(int colour) {
    return constant.get(colour).floatValue();
  }
}
