package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.onnx.internal.session.NetworkUse;
import io.github.urae.tensor.Tensor;
import java.util.Map;

/**
 * Who computes the velocity of a step: the transformer as a whole or block by block, or something
 * that spares it some of that from what earlier steps left.
 */
@FunctionalInterface
public interface VelocityPredictor {

  /**
   * Where a run belongs. The velocities of one batch come one after the other, from 0, one or two a
   * step; with true guidance each comes twice, first for the prompt.
   *
   * @param index number of the velocity, from 0
   * @param count number of velocities
   * @param sigma noise level, in [0, 1]
   * @param negative whether the run is for the negative prompt
   */
  record Step(int index, int count, float sigma, boolean negative) {}

  /**
   * Predicts.
   *
   * @param inputs the transformer's, by name
   * @return the transformer's output, [B, tokens, packed channels]; the caller may change it
   * @throws io.github.urae.GenerationCancelledException if it was cancelled
   * @throws io.github.urae.InferenceException if ONNX Runtime fails
   */
  float[] predict(Step step, Map<String, Tensor> inputs, CancellationToken cancellation);

  /** Returns who runs the transformer at every step, as it is loaded: whole or block by block. */
  static VelocityPredictor everyStep(NetworkUse transformer) {
    return (step, inputs, cancellation) -> transformer.run(inputs, cancellation);
  }
}
