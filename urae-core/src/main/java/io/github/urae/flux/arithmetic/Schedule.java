package io.github.urae.flux.arithmetic;

import io.github.urae.InvalidRequestException;
import java.util.Arrays;
import java.util.Objects;

/**
 * The noise levels of one generation and the steps between them. Immutable.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/schedulers/scheduling_flow_match_euler_discrete.py">
 *     diffusers: {@code FlowMatchEulerDiscreteScheduler}</a>, and beside it {@code
 *     FlowMatchHeunDiscreteScheduler}
 */
public final class Schedule {

  /** What timesteps are counted in unless told otherwise, and what FLUX is always told them in. */
  public static final int TIMESTEPS = 1000;

  /** Most steps: more than a model can tell apart, and few enough for any memory. */
  public static final int MAX_STEPS = 10_000;

  private final float[] sigmas;
  private final int timesteps;
  private final Solver solver;

  private Schedule(float[] sigmas, int timesteps, Solver solver) {
    this.sigmas = sigmas;
    this.timesteps = timesteps;
    this.solver = solver;
  }

  /**
   * Creates a schedule of given noise levels.
   *
   * @param sigmas from the level that the first step starts from to the one that the last reaches;
   *     at least two, finite; copied
   * @param timesteps in how many steps the model was trained, {@value #TIMESTEPS} for FLUX.1: it is
   *     told {@code sigma * timesteps / 1000}
   * @param solver how steps are made
   * @return the schedule
   * @throws InvalidRequestException if a level is not finite
   */
  public static Schedule of(float[] sigmas, int timesteps, Solver solver) {
    if (sigmas.length < 2 || timesteps < 1) {
      throw new IllegalArgumentException(
          "expected two levels or more and a positive number of timesteps, got "
              + sigmas.length
              + " and "
              + timesteps);
    }
    for (int i = 0; i < sigmas.length; i++) {
      if (!Float.isFinite(sigmas[i])) {
        throw InvalidRequestException.of(
            "profile.shift",
            "noise level "
                + i
                + " of "
                + (sigmas.length - 1)
                + " is "
                + sigmas[i]
                + "; expected finite levels: choose another timestep shift, or other options of the"
                + " scheduler");
      }
    }
    return new Schedule(sigmas.clone(), timesteps, Objects.requireNonNull(solver, "solver"));
  }

  /**
   * Creates the schedule that diffusers' FLUX pipeline uses: levels evenly spaced from 1 to
   * 1/steps, shifted, then 0.
   *
   * @param steps number of steps, at least 1
   * @param shift applied to every level but the last
   * @param imageTokens number of image tokens of one picture
   * @return the schedule
   * @throws InvalidRequestException if {@code steps} is below 1, or the shift too extreme for
   *     levels that are finite
   */
  public static Schedule of(int steps, TimestepShift shift, long imageTokens) {
    double[] even = evenLevels(steps, 1.0 / Math.max(steps, 1));
    float[] sigmas = new float[steps + 1];
    for (int i = 0; i < steps; i++) {
      sigmas[i] = (float) shift.apply(even[i], imageTokens);
    }
    return of(sigmas, TIMESTEPS, Solver.EULER);
  }

  /**
   * Returns levels at even distances.
   *
   * @param steps how many, at least 1
   * @param last the last of them
   * @return a new array that begins with 1
   * @throws InvalidRequestException if {@code steps} is out of range
   */
  public static double[] evenLevels(int steps, double last) {
    if (steps < 1 || steps > MAX_STEPS) {
      throw InvalidRequestException.of(
          "steps", "steps: expected 1 to " + MAX_STEPS + ", found " + steps);
    }
    double[] even = new double[steps];
    for (int i = 0; i < steps; i++) {
      even[i] = steps == 1 ? 1 : 1 + i * ((last - 1) / (steps - 1));
    }
    return even;
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
      throw InvalidRequestException.of(
          "start.strength",
          "strength: "
              + strength
              + " leaves none of "
              + steps()
              + " steps to run; expected at least "
              + 1.0 / steps()
              + ", or more steps");
    }
    return new Schedule(Arrays.copyOfRange(sigmas, skipped, sigmas.length), timesteps, solver);
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
   * @return sigma, in [0, 1]; falling to 0, unless the checkpoint's scheduler inverts its levels
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
   * Returns what the transformer is given at a noise level: sigma, with the rounding of diffusers'
   * detour over timesteps, of 0 to 1000 for FLUX.1.
   *
   * @param index 0 to {@code steps - 1}
   * @return the time
   */
  public float modelTime(int index) {
    return sigmas[index] * timesteps / TIMESTEPS;
  }

  /**
   * Tells whether a step is made twice, the second time with the velocity at its end: {@link
   * #corrected}. With Heun's method all are but the last.
   *
   * @param step 0 to {@code steps - 1}
   * @return whether it takes two velocities
   */
  public boolean corrects(int step) {
    return solver == Solver.HEUN && step < steps() - 1;
  }

  /**
   * Returns how many velocities are needed for the first steps.
   *
   * @param first 0 to {@link #steps()}; for that many steps from the first on
   * @return one for each step, two for those that are corrected
   */
  public int evaluations(int first) {
    return solver == Solver.EULER ? first : 2 * first - (first == steps() ? 1 : 0);
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
    checkLength(latents, velocity);
    float delta = sigmas[step + 1] - sigmas[step];
    float[] next = new float[latents.length];
    for (int i = 0; i < next.length; i++) {
      next[i] = latents[i] + delta * velocity[i];
    }
    return next;
  }

  /**
   * Makes one step of Heun's method: {@code x + (sigma_next - sigma) * (v + v_next) / 2}, in
   * float32.
   *
   * @param step 0 to {@code steps - 2}
   * @param latents x, at sigma(step); unchanged
   * @param velocity v, of the same length
   * @param velocityAtEnd v_next, at the result of {@link #step}, of the same length
   * @return a new array, the latents at sigma(step + 1)
   */
  public float[] corrected(int step, float[] latents, float[] velocity, float[] velocityAtEnd) {
    checkLength(latents, velocity);
    checkLength(latents, velocityAtEnd);
    float delta = sigmas[step + 1] - sigmas[step];
    float[] next = new float[latents.length];
    for (int i = 0; i < next.length; i++) {
      next[i] = latents[i] + 0.5f * (velocity[i] + velocityAtEnd[i]) * delta;
    }
    return next;
  }

  private static void checkLength(float[] latents, float[] velocity) {
    if (latents.length != velocity.length) {
      throw new IllegalArgumentException(
          "latents have " + latents.length + " elements, the velocity " + velocity.length);
    }
  }

  /** Returns the noise levels. */
  @Override
  public String toString() {
    return "Schedule" + Arrays.toString(sigmas);
  }
}
