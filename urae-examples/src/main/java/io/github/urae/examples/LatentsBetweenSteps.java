package io.github.urae.examples;

import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.RunOptions;
import io.github.urae.pipeline.FluxPipeline;
import io.github.urae.tensor.Tensor;
import java.nio.file.Path;

/**
 * A picture without colour cast: while the latents are mostly noise, their mean is drawn towards 0.
 * Shows: changing latents between steps. Arguments: model, text, output file.
 */
public final class LatentsBetweenSteps {

  private LatentsBetweenSteps() {}

  public static void main(String[] arguments) throws Exception {
    try (FluxPipeline pipeline = FluxPipeline.builder().model(arguments[0]).build()) {
      GenerationRequest request = GenerationRequest.builder(arguments[1]).seed(7).build();
      RunOptions options = RunOptions.builder().onStepEnd(LatentsBetweenSteps::centred).build();
      pipeline.generate(request, options).get(0).save(Path.of(arguments[2]));
    }
  }

  /** Latents are packed: [images, tokens, channels], here of one image. */
  private static Tensor centred(DenoisingStep step, Tensor latents) {
    if (step.nextSigma() < 0.5) {
      return latents;
    }
    float[] values = latents.toFloats();
    int channels = (int) latents.shape().dimension(2);
    for (int channel = 0; channel < channels; channel++) {
      double sum = 0;
      for (int i = channel; i < values.length; i += channels) {
        sum += values[i];
      }
      float mean = (float) (sum * channels / values.length);
      for (int i = channel; i < values.length; i += channels) {
        values[i] -= 0.1f * mean;
      }
    }
    return Tensor.ofFloats(values, 1, latents.shape().dimension(1), channels);
  }
}
