package io.github.urae.flux.arithmetic;

import io.github.urae.InvalidRequestException;
import java.util.Arrays;

/**
 * The noise levels of one generation and the Euler steps between them. Immutable.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_flow_match_euler_discrete.py">
 *     diffusers: {@code FlowMatchEulerDiscreteScheduler}</a>
 */
public final class Schedule {

  private final float[] sigmas;

  private Schedule(float[] sigmas) {
    this.sigmas = sigmas;
  }

  /**
   * Creates the schedule that diffusers' FLUX pipeline uses: levels evenly spaced from 1 to
   * 1/steps, shifted, then 0.
   *
   * @param steps number of steps, at least 1
   * @param shift applied to every level but the last
   * @param imageTokens number of image tokens of one picture
   * @return the schedule
   * @throws InvalidRequestException if {@code steps} is below 1
   */
  public static Schedule of(int steps, TimestepShift shift, long imageTokens) {
    if (steps < 1) {
      throw new InvalidRequestException("steps: expected 1 or more, found " + steps);
    }
    float[] sigmas = new float[steps + 1];
    double last = 1.0 / steps;
    for (int i = 0; i < steps; i++) {
      double even = steps == 1 ? 1 : 1 + i * ((last - 1) / (steps - 1));
      sigmas[i] = (float) shift.apply(even, imageTokens);
    }
    return new Schedule(sigmas);
  }

  /**
   * Returns the last part of this schedule, to be run on a picture that is not all noise: {@code
   * floor(steps - steps * strength)} steps are left out, as in diffusers' image to image.
   *
   * @param strength in (0, 1]; 1 leaves out nothing
   * @return the remaining levels
   * @throws InvalidRequestException if no step remains
   */
  public Schedule lastPart(double strength) {
    int skipped = (int) Math.max(steps() - Math.min(steps() * strength, steps()), 0);
    if (skipped == steps()) {
      throw new InvalidRequestException(
          "strength: "
              + strength
              + " leaves none of "
              + steps()
              + " steps to run; expected at least "
              + 1.0 / steps()
              + ", or more steps");
    }
    return new Schedule(Arrays.copyOfRange(sigmas, skipped, sigmas.length));
  }

  /**
   * Mixes noise into a picture up to this schedule's first level: {@code sigma * noise + (1 -
   * sigma) * z}, in float32.
   *
   * @param clean z, the picture's latents; unchanged
   * @param noise standard normal, of the same length; unchanged
   * @return a new array
   */
  public float[] noised(float[] clean, float[] noise) {
    float sigma = sigmas[0];
    float[] mixed = new float[noise.length];
    for (int i = 0; i < mixed.length; i++) {
      mixed[i] = sigma * noise[i] + (1 - sigma) * clean[i];
    }
    return mixed;
  }

  /**
   * Returns the number of steps.
   *
   * @return one less than the number of levels
   */
  public int steps() {
    return sigmas.length - 1;
  }

  /**
   * Returns one noise level.
   *
   * @param index 0 to {@link #steps()}
   * @return sigma, in [0, 1], falling; the last is 0
   */
  public float sigma(int index) {
    return sigmas[index];
  }

  /**
   * Returns all noise levels.
   *
   * @return a new array of {@code steps + 1} levels
   */
  public float[] sigmas() {
    return sigmas.clone();
  }

  /**
   * Returns what the transformer is given for a step: sigma, with the rounding of diffusers' detour
   * over timesteps in 0 to 1000.
   *
   * @param step 0 to {@code steps - 1}
   * @return the time, in (0, 1]
   */
  public float modelTime(int step) {
    return sigmas[step] * 1000f / 1000f;
  }

  /**
   * Makes one Euler step: {@code x + (sigma_next - sigma) * v}, in float32.
   *
   * @param step 0 to {@code steps - 1}
   * @param latents x, at sigma(step); unchanged
   * @param velocity v, of the same length
   * @return a new array, the latents at sigma(step + 1)
   */
  public float[] step(int step, float[] latents, float[] velocity) {
    if (latents.length != velocity.length) {
      throw new IllegalArgumentException(
          "latents have " + latents.length + " elements, the velocity " + velocity.length);
    }
    float delta = sigmas[step + 1] - sigmas[step];
    float[] next = new float[latents.length];
    for (int i = 0; i < next.length; i++) {
      next[i] = latents[i] + delta * velocity[i];
    }
    return next;
  }

  /** Returns the noise levels. */
  @Override
  public String toString() {
    return "Schedule" + Arrays.toString(sigmas);
  }
}
