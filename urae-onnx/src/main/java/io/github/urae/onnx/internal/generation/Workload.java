package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import java.util.Optional;

/**
 * What a generation runs, in numbers.
 *
 * @param grid size of the pictures
 * @param prompts prompts that the text encoders read, negative ones included; none where embeddings
 *     are given
 * @param textTokens tokens of T5 and the transformer
 * @param steps denoising steps at full size
 * @param evaluations velocities that they take, one or two each
 * @param images pictures in all
 * @param batch pictures denoised at once
 * @param passes runs of the transformer in a step: 2 with true guidance
 * @param draft the first pass of coarse to fine, if there is one
 * @param starts pictures that are encoded to start from
 * @param tiling whether the autoencoder works in tiles
 */
record Workload(
    LatentGrid grid,
    int prompts,
    int textTokens,
    int steps,
    int evaluations,
    int images,
    int batch,
    int passes,
    Optional<Draft> draft,
    int starts,
    VaeTiling tiling) {

  /**
   * A pass at a smaller size.
   *
   * @param evaluations velocities that its denoising steps take
   */
  record Draft(LatentGrid grid, int evaluations) {}

  Workload withTiling(VaeTiling other) {
    return new Workload(
        grid, prompts, textTokens, steps, evaluations, images, batch, passes, draft, starts, other);
  }

  Workload oneAtATime() {
    return new Workload(
        grid, prompts, textTokens, steps, evaluations, images, 1, passes, draft, starts, tiling);
  }

  /** Returns the same for pictures of another size; a draft stays as large as it is. */
  Workload at(LatentGrid size) {
    return new Workload(
        size,
        prompts,
        textTokens,
        steps,
        evaluations,
        images,
        batch,
        passes,
        draft,
        starts,
        tiling);
  }
}
