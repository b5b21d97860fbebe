package io.github.urae.onnx.internal.image;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.internal.VaeConfig;
import io.github.urae.image.RgbImage;
import java.util.List;
import java.util.Optional;

/**
 * Colours of a picture by a linear map from its 16 latent channels, one pixel for each latent
 * element. Red, green and blue in -1 to 1 are sums over the channels and a constant.
 */
public final class LatentPreview {

  /**
   * For FLUX.1's autoencoder, to be applied to latents with scaling and shift.
   *
   * @see <a
   *     href="https://github.com/invoke-ai/InvokeAI/blob/main/invokeai/app/util/step_callback.py">
   *     InvokeAI: {@code FLUX_LATENT_RGB_FACTORS}</a>
   */
  private static final LatentPreview FLUX_1 =
      new LatentPreview(
          new float[][] {
            {-0.0412f, 0.0149f, 0.0521f},
            {0.0056f, 0.0291f, 0.0768f},
            {0.0342f, -0.0681f, -0.0427f},
            {-0.0258f, 0.0092f, 0.0463f},
            {0.0863f, 0.0784f, 0.0547f},
            {-0.0017f, 0.0402f, 0.0158f},
            {0.0501f, 0.1058f, 0.1152f},
            {-0.0209f, -0.0218f, -0.0329f},
            {-0.0314f, 0.0083f, 0.0896f},
            {0.0851f, 0.0665f, -0.0472f},
            {-0.0534f, 0.0238f, -0.0024f},
            {0.0452f, -0.0026f, 0.0048f},
            {0.0892f, 0.0831f, 0.0881f},
            {-0.1117f, -0.0304f, -0.0789f},
            {0.0027f, -0.0479f, -0.0043f},
            {-0.1146f, -0.0827f, -0.0598f},
            {0, 0, 0}
          });

  /**
   * For the bundled checkpoint's autoencoder: least squares over 64 pictures that it drew, which
   * {@code ./benchmark preview-factors} repeats; off by 0.1 of a range of 2 in the mean.
   */
  private static final LatentPreview BUNDLED =
      new LatentPreview(
          new float[][] {
            {-0.2613f, 0.2687f, 0.0129f},
            {0.0043f, 0.0325f, -0.0286f},
            {0.0033f, 0.1253f, -0.0592f},
            {-0.1020f, 0.0166f, 0.0249f},
            {0.0614f, 0.0422f, 0.2076f},
            {-0.0063f, 0.0751f, -0.0233f},
            {-0.1283f, -0.1087f, 0.0171f},
            {0.0789f, -0.1032f, -0.2615f},
            {0.1259f, 0.0439f, -0.0974f},
            {-0.1562f, 0.1854f, -0.0974f},
            {0.1050f, 0.0145f, -0.0248f},
            {-0.2148f, 0.1548f, -0.0998f},
            {-0.5898f, -0.0717f, -0.1021f},
            {0.0203f, 0.0301f, -0.0528f},
            {-0.0600f, -0.0049f, 0.0267f},
            {-0.0898f, 0.0133f, 0.0268f},
            {0.0230f, -0.0604f, -0.0801f}
          });

  private static final VaeConfig FLUX_1_CONFIG =
      new VaeConfig(16, List.of(128, 256, 512, 512), 2, 32, 1024, 0.3611, 0.1159);

  private static final VaeConfig BUNDLED_CONFIG =
      new VaeConfig(16, List.of(16, 32, 64, 64), 1, 8, 128, 0.7232, 0.0409);

  /** A row for each channel and one for the constant; columns are red, green and blue. */
  private final float[][] factors;

  private LatentPreview(float[][] factors) {
    this.factors = factors;
  }

  /** Returns the map for an autoencoder, known by its configuration; empty for all but two. */
  public static Optional<LatentPreview> of(VaeConfig config) {
    if (config.equals(FLUX_1_CONFIG)) {
      return Optional.of(FLUX_1);
    }
    return config.equals(BUNDLED_CONFIG) ? Optional.of(BUNDLED) : Optional.empty();
  }

  /**
   * Computes a preview.
   *
   * @param packed latents of one picture, [1, tokens, 64]
   * @return an eighth as wide and high as the picture
   */
  public RgbImage preview(LatentGrid grid, float[] packed) {
    float[] latents = grid.unpack(packed);
    int count = grid.latentHeight() * grid.latentWidth();
    int channels = grid.layout().channels();
    int[] pixels = new int[count];
    for (int i = 0; i < count; i++) {
      int pixel = 0;
      for (int colour = 0; colour < 3; colour++) {
        float value = factors[channels][colour];
        for (int channel = 0; channel < channels; channel++) {
          value += factors[channel][colour] * latents[channel * count + i];
        }
        pixel = pixel << 8 | ImageDecoder.level(value);
      }
      pixels[i] = pixel;
    }
    return RgbImage.of(grid.latentWidth(), grid.latentHeight(), pixels);
  }
}
