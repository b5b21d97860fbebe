package io.github.urae.training;

/**
 * How noise levels are drawn and losses weighted, by the names of diffusers' {@code
 * weighting_scheme}. URAE trains with {@link #NONE}.
 *
 * @see <a href="https://arxiv.org/abs/2403.03206">Esser et al.: Scaling Rectified Flow Transformers
 *     for High-Resolution Image Synthesis</a>, section 3.1
 */
public enum WeightingScheme {
  /** Uniform in [0, 1), and all losses count the same. */
  NONE,
  /** The logistic function of normal numbers: more in the middle. */
  LOGIT_NORMAL,
  /** Uniform numbers, moved towards the middle by a cosine. */
  MODE,
  /** Uniform, and a loss counts by 1 / sigma^2. */
  SIGMA_SQRT,
  /** Uniform, and a loss counts by 2 / (pi (1 - 2 sigma + 2 sigma^2)). */
  COSMAP
}
