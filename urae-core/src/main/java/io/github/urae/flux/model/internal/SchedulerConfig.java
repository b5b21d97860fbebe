package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.Profile;
import io.github.urae.flux.Sampling;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.flux.arithmetic.SigmaSpacing;
import io.github.urae.flux.arithmetic.Solver;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.internal.JsonConfig;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * What a checkpoint's {@code scheduler/scheduler_config.json} says.
 *
 * @param shift s of the static shift; 3 for FLUX.1-dev, 1 for -schnell
 * @param dynamic the dynamic shift's numbers, also where it is not in use
 * @param useDynamicShifting whether the checkpoint asks for the dynamic shift
 * @param levels how noise levels are made, apart from the shift
 * @param timesteps in how many steps the model was trained, 1000 for FLUX.1
 * @param solver how steps are made
 */
public record SchedulerConfig(
    TimestepShift.Static shift,
    TimestepShift.Dynamic dynamic,
    boolean useDynamicShifting,
    NoiseLevels levels,
    int timesteps,
    Solver solver) {

  private static final String EULER = "FlowMatchEulerDiscreteScheduler";
  private static final String HEUN = "FlowMatchHeunDiscreteScheduler";

  /** FLUX.1's dynamic shift, of 256 to 4096 tokens. */
  private static final TimestepShift.Dynamic FLUX_SHIFT =
      new TimestepShift.Dynamic(0.5, 1.15, 256, 4096);

  private static final String STOCHASTIC = "stochastic_sampling";

  /** The ways to space levels, by the switch that asks for them. */
  private static final Map<String, SigmaSpacing> SPACINGS =
      Map.of(
          "use_karras_sigmas", SigmaSpacing.KARRAS,
          "use_exponential_sigmas", SigmaSpacing.EXPONENTIAL,
          "use_beta_sigmas", SigmaSpacing.BETA);

  /**
   * Reads the configuration: all options of diffusers' FlowMatchEulerDiscreteScheduler but {@code
   * stochastic_sampling}, and its FlowMatchHeunDiscreteScheduler. Keys that the class does not know
   * mean nothing, as there: diffusers copies them from one class's file to another's.
   *
   * @param config the content of {@code scheduler_config.json}
   * @return its values
   * @throws ModelException if it describes another scheduler or asks for something unsupported
   */
  public static SchedulerConfig from(JsonConfig config) {
    String name = config.text("_class_name").orElse(EULER);
    if (!name.equals(EULER) && !name.equals(HEUN)) {
      throw config.unsupported(
          "_class_name",
          EULER
              + " or "
              + HEUN
              + " (put FLUX.1's own scheduler_config.json in its place; ways to space noise levels"
              + " and Heun's method can also be chosen in a request)");
    }
    int timesteps = config.positiveInt("num_train_timesteps", Schedule.TIMESTEPS);
    double shift = config.number("shift", 1.0);
    if (!(shift > 0)) {
      throw config.unsupported("shift", "a positive number");
    }
    TimestepShift.Static fixed = new TimestepShift.Static(shift);
    if (name.equals(HEUN)) {
      return new SchedulerConfig(
          fixed,
          FLUX_SHIFT,
          false,
          NoiseLevels.even(OptionalInt.of(timesteps)),
          timesteps,
          Solver.HEUN);
    }
    if (config.flag(STOCHASTIC, false)) {
      throw config.unsupported(STOCHASTIC, "false, since pictures could not be drawn again");
    }
    return new SchedulerConfig(
        fixed,
        dynamic(config),
        config.flag("use_dynamic_shifting", false),
        levels(config),
        timesteps,
        Solver.EULER);
  }

  /**
   * Returns a scheduler as FLUX.1's models have: Euler's method, even levels.
   *
   * @param shift of the static shift, positive
   * @param dynamic whether the dynamic shift is in use, 0.5 to 1.15 for 256 to 4096 tokens
   * @return its values
   */
  public static SchedulerConfig ofFlux(double shift, boolean dynamic) {
    return new SchedulerConfig(
        new TimestepShift.Static(shift),
        FLUX_SHIFT,
        dynamic,
        NoiseLevels.even(OptionalInt.empty()),
        Schedule.TIMESTEPS,
        Solver.EULER);
  }

  private static TimestepShift.Dynamic dynamic(JsonConfig config) {
    int baseTokens = config.positiveInt("base_image_seq_len", 256);
    int maxTokens = config.positiveInt("max_image_seq_len", 4096);
    if (baseTokens == maxTokens) {
      throw config.unsupported("max_image_seq_len", "another than base_image_seq_len");
    }
    String type = config.oneOf("time_shift_type", "exponential", "exponential", "linear");
    return new TimestepShift.Dynamic(
        config.number("base_shift", 0.5),
        config.number("max_shift", 1.15),
        baseTokens,
        maxTokens,
        type.equals("exponential"));
  }

  private static NoiseLevels levels(JsonConfig config) {
    List<String> switches =
        SPACINGS.keySet().stream().sorted().filter(key -> config.flag(key, false)).toList();
    if (switches.size() > 1) {
      throw config.unsupported(switches.get(1), "false beside " + switches.get(0));
    }
    // 0 is none, as in diffusers.
    double terminal = config.number("shift_terminal", 0);
    if (!(terminal >= 0 && terminal < 1)) {
      throw config.unsupported("shift_terminal", "a number below 1, not negative");
    }
    return new NoiseLevels(
        switches.isEmpty() ? SigmaSpacing.EVEN : SPACINGS.get(switches.get(0)),
        terminal == 0 ? OptionalDouble.empty() : OptionalDouble.of(terminal),
        level(config, "sigma_min"),
        level(config, "sigma_max"),
        config.flag("invert_sigmas", false),
        OptionalInt.empty());
  }

  /** Reads what is no option of the class, and bounds its levels all the same. */
  private static OptionalDouble level(JsonConfig config, String key) {
    if (!config.has(key)) {
      return OptionalDouble.empty();
    }
    double value = config.number(key, 0);
    if (!(value > 0 && value <= 1)) {
      throw config.unsupported(key, "a number above 0, at most 1");
    }
    return OptionalDouble.of(value);
  }

  /**
   * Returns the schedule of a pass.
   *
   * @param sampling what the request puts in the place of this scheduler's options
   * @param shiftInUse the profile's
   * @param steps number of steps
   * @param imageTokens number of image tokens of one picture
   * @return the whole schedule, from noise on
   * @throws io.github.urae.InvalidRequestException if {@code steps} is out of range or a level not
   *     finite
   */
  public Schedule schedule(
      Sampling sampling, TimestepShift shiftInUse, int steps, long imageTokens) {
    float[] sigmas =
        sampling
            .sigmas()
            .map(levels::withSpacing)
            .orElse(levels)
            .of(steps, shiftInUse, imageTokens);
    return Schedule.of(sigmas, timesteps, sampling.solver().orElse(solver));
  }

  /**
   * Returns what a picture records of how it was sampled: what the request says, and what this
   * scheduler does otherwise than FLUX.1's.
   *
   * @param sampling what the request says
   * @return the same with less left open
   */
  public Sampling settled(Sampling sampling) {
    return new Sampling(
        sampling
            .sigmas()
            .or(() -> Optional.of(levels.spacing()).filter(own -> own != SigmaSpacing.EVEN)),
        sampling.solver().or(() -> Optional.of(solver).filter(own -> own != Solver.EULER)));
  }

  /**
   * Returns the shift that the checkpoint asks for.
   *
   * @return the dynamic one if in use, else the static one
   */
  public TimestepShift ownShift() {
    return useDynamicShifting ? dynamic : shift;
  }

  /**
   * Returns FLUX as it was trained: the checkpoint's own shift, rotary positions and attention as
   * they are.
   *
   * @param nativeTokens recorded, not used
   * @return the profile
   */
  public Profile standard(long nativeTokens) {
    return new Profile(Profile.STANDARD_NAME, ownShift(), 1, false, nativeTokens);
  }

  /**
   * Returns URAE's ultra resolution: the static shift, NTK factor 10, proportional attention.
   *
   * @param nativeTokens the checkpoint's native tokens, 4608 for FLUX.1
   * @return the profile
   */
  public Profile ultra(long nativeTokens) {
    return new Profile(Profile.ULTRA_NAME, shift, Profile.ULTRA_NTK_FACTOR, true, nativeTokens);
  }

  /**
   * Settles the profile for a picture.
   *
   * @param settings what the request asks for
   * @param nativeTokens the checkpoint's native tokens
   * @param aboveNativeArea whether the picture is larger than the checkpoint's native area
   * @return the chosen profile with every number that the request sets
   */
  public Profile profile(Profile.Settings settings, long nativeTokens, boolean aboveNativeArea) {
    boolean ultra =
        settings.choice() == Profile.Choice.ULTRA
            || (settings.choice() == Profile.Choice.AUTO && aboveNativeArea);
    return settings.over(ultra ? ultra(nativeTokens) : standard(nativeTokens));
  }
}
