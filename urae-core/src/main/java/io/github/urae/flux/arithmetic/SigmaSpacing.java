package io.github.urae.flux.arithmetic;

/**
 * How noise levels lie between the first and the last, which the timestep shift gives.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_flow_match_euler_discrete.py">
 *     diffusers: {@code FlowMatchEulerDiscreteScheduler}</a>
 */
public enum SigmaSpacing {
  /** At even distances before the shift, as FLUX.1 was made for. */
  EVEN,
  /**
   * At even distances in {@code sigma^(1/7)}: <a href="https://arxiv.org/abs/2206.00364">Karras et
   * al. 2022</a>, equation 5.
   */
  KARRAS,
  /** At even distances in {@code log(sigma)}. */
  EXPONENTIAL,
  /**
   * By the beta distribution with both parameters 0.6, close at both ends: <a
   * href="https://arxiv.org/abs/2407.12173">Lee et al. 2024</a>.
   */
  BETA
}
