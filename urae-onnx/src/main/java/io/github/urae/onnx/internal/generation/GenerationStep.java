package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.flux.StepCallback;
import io.github.urae.image.RgbImage;
import io.github.urae.onnx.internal.image.LatentPreview;
import io.github.urae.onnx.internal.session.FiniteResults;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A step of a generation as others see it. */
final class GenerationStep implements DenoisingStep {

  private final Pass pass;
  private final Optional<LatentPreview> preview;
  private final int step;
  private final int steps;
  private final int index;
  private final int firstImage;
  private final float[] packed;
  private final float[] velocity;
  private final CancellationToken cancellation;

  /**
   * Describes a step.
   *
   * @param preview maps latents to colours, if that is known for them
   * @param step its number over all batches and passes, from 1
   * @param packed latents after the step, [B, tokens, packed channels]; unchanged
   * @param velocity that led there, of the same shape; unchanged
   * @param cancellation of the call
   */
  GenerationStep(
      Pass pass,
      Optional<LatentPreview> preview,
      int step,
      int steps,
      int index,
      int firstImage,
      float[] packed,
      float[] velocity,
      CancellationToken cancellation) {
    this.pass = pass;
    this.preview = preview;
    this.step = step;
    this.steps = steps;
    this.index = index;
    this.firstImage = firstImage;
    this.packed = packed;
    this.velocity = velocity;
    this.cancellation = cancellation;
  }

  Pass pass() {
    return pass;
  }

  /** Returns the latents themselves, no copy. */
  float[] packed() {
    return packed;
  }

  @Override
  public int step() {
    return step;
  }

  @Override
  public int steps() {
    return steps;
  }

  @Override
  public int index() {
    return index;
  }

  @Override
  public int firstImage() {
    return firstImage;
  }

  @Override
  public void cancel() {
    cancellation.cancel();
  }

  @Override
  public boolean ofDraft() {
    return pass.ofDraft();
  }

  @Override
  public double sigma() {
    return pass.schedule().sigma(index);
  }

  @Override
  public double nextSigma() {
    return pass.schedule().sigma(index + 1);
  }

  @Override
  public Tensor latents() {
    return Tensor.ofFloats(packed, shape().toArray());
  }

  private int images() {
    return packed.length / pass.grid().latentElements();
  }

  private Shape shape() {
    return Shape.of(images(), pass.grid().tokens(), pass.grid().layout().packedChannels());
  }

  /** Returns the same step with what a callback makes of the latents. */
  GenerationStep after(StepCallback callback) {
    Tensor given = latents();
    Tensor changed = callback.onStepEnd(this, given);
    if (changed == given) {
      return this;
    }
    if (changed == null
        || changed.type() != ElementType.F32
        || !changed.shape().equals(given.shape())) {
      throw new IllegalArgumentException(
          "onStepEnd: expected float32 "
              + given.shape()
              + ", found "
              + (changed == null ? "null" : changed.type() + " " + changed.shape()));
    }
    float[] latents = changed.toFloats();
    if (!FiniteResults.areFinite(latents)) {
      throw new IllegalArgumentException("onStepEnd: expected finite latents, found others");
    }
    return new GenerationStep(
        pass, preview, step, steps, index, firstImage, latents, velocity, cancellation);
  }

  /**
   * Takes the remaining noise out of the latents, as the velocity tells it, and maps them to
   * colours.
   */
  @Override
  public List<RgbImage> previews() {
    if (preview.isEmpty()) {
      return List.of();
    }
    float sigma = pass.schedule().sigma(index + 1);
    float[] clean = new float[packed.length];
    for (int i = 0; i < clean.length; i++) {
      clean[i] = packed[i] - sigma * velocity[i];
    }
    List<RgbImage> previews = new ArrayList<>();
    for (int i = 0; i < images(); i++) {
      previews.add(preview.get().preview(pass.grid(), pass.part(clean, i, 1)));
    }
    return previews;
  }
}
