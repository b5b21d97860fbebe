package io.github.urae.training.internal.loop;

import io.github.urae.CancellationToken;
import io.github.urae.InferenceException;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.training.internal.data.CachedExample;
import io.github.urae.training.internal.data.CaptionKind;
import io.github.urae.training.internal.data.DataSet;
import io.github.urae.training.internal.data.LoadedExample;
import io.github.urae.training.internal.engine.TrainingEngine;
import java.io.IOException;

/**
 * Measures the loss of pictures that are not trained on, at noise levels and with noise that are
 * the same every time: unlike the loss of a step it tells small differences.
 *
 * @param pictures the pictures; of two captions the generated one is taken, as URAE mostly does
 */
public record HeldOutPictures(DataSet pictures) {

  /** Noise levels, evenly spaced. */
  private static final float[] SIGMAS = {0.1f, 0.3f, 0.5f, 0.7f, 0.9f};

  /** The noise does not depend on a training's seed, so that trainings can be compared. */
  private static final long SEED = 0;

  /**
   * Measures the loss.
   *
   * @param engine as it is
   * @param maker makes the inputs; its weighting of losses counts
   * @param cancellation ends it
   * @return the mean over all pictures and noise levels
   * @throws IOException if a picture cannot be read
   * @throws InferenceException if a loss is not finite or cannot be computed; names the picture
   */
  public double loss(TrainingEngine engine, StepMaker maker, CancellationToken cancellation)
      throws IOException {
    double sum = 0;
    for (int i = 0; i < pictures.examples().size(); i++) {
      CachedExample example = pictures.examples().get(i);
      LoadedExample loaded =
          example.load(
              example.has(CaptionKind.GENERATED_PROMPT)
                  ? CaptionKind.GENERATED_PROMPT
                  : CaptionKind.PROMPT);
      int count = Math.toIntExact(loaded.mean().shape().elementCount());
      TorchGenerator generator = new TorchGenerator(Mixing.of(SEED, Mixing.HELD_OUT, i));
      float[] posteriorNoise = generator.randn(count);
      for (float sigma : SIGMAS) {
        cancellation.throwIfCancelled();
        try {
          sum += engine.evaluate(maker.make(loaded, posteriorNoise, generator.randn(count), sigma));
        } catch (InferenceException e) {
          throw new InferenceException(
              "held-out picture '" + example.name() + "' (sigma " + sigma + "): " + e.getMessage(),
              e);
        }
      }
    }
    return sum / pictures.examples().size() / SIGMAS.length;
  }
}
