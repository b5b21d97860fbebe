package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.Stage;
import io.github.urae.StageProgress.Unit;
import io.github.urae.flux.LatentPosterior;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.model.Component;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.ImageEncoder;
import io.github.urae.onnx.internal.model.Networks;
import io.github.urae.onnx.internal.session.NetworkUse;
import java.io.IOException;
import java.util.List;

/**
 * A picture to what latents are drawn from, for its own sake: nothing is drawn here. Owns nothing.
 */
public final class PictureEncoding {

  private PictureEncoding() {}

  /**
   * Encodes one picture.
   *
   * @param image its sides are multiples of a token's
   * @param rates how fast networks have worked before; added to
   * @throws io.github.urae.InvalidRequestException if a side is none
   */
  public static LatentPosterior encode(
      Networks networks,
      RgbImage image,
      VaeTiling tiling,
      RunOptions options,
      CancellationToken cancellation,
      WorkRates rates)
      throws IOException {
    LatentGrid grid =
        new LatentGrid(networks.checkpoint().family().latents(), image.width(), image.height());
    NetworkCosts costs = Planner.of(networks).costs();
    int runs = costs.encoderRuns(grid, tiling);
    double flops = costs.encoderFlops(grid, tiling) / runs;
    GenerationProgress progress =
        new GenerationProgress(options.listener(), rates, System::nanoTime, List.of());
    try (NetworkUse vae = networks.use(Component.VAE_ENCODER, options.listener(), cancellation)) {
      GenerationProgress.Running stage =
          progress.begin(
              Stage.ENCODING_IMAGE,
              Component.VAE_ENCODER,
              runs,
              runs > 1 ? Unit.TILES : Unit.IMAGES);
      ImageEncoder encoder =
          new ImageEncoder(vae, networks.checkpoint().vae(), () -> stage.advance(flops));
      return encoder.posterior(encoder.encode(image, tiling, cancellation));
    }
  }
}
