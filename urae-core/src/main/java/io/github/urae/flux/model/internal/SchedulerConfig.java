package io.github.urae.flux.model.internal;

import io.github.urae.ModelException;
import io.github.urae.flux.Profile;
import io.github.urae.flux.arithmetic.TimestepShift;
import io.github.urae.internal.JsonConfig;
import java.util.List;

/**
 * What a checkpoint's {@code scheduler/scheduler_config.json} says.
 *
 * @param shift s of the static shift; 3 for FLUX.1-dev, 1 for -schnell
 * @param dynamic the dynamic shift's numbers, also where it is not in use
 * @param useDynamicShifting whether the checkpoint asks for the dynamic shift
 */
public record SchedulerConfig(
    TimestepShift.Static shift, TimestepShift.Dynamic dynamic, boolean useDynamicShifting) {

  private static final String CLASS_NAME = "FlowMatchEulerDiscreteScheduler";

  /** Switches of diffusers' scheduler that would change the noise levels. */
  private static final List<String> UNSUPPORTED =
      List.of(
          "use_karras_sigmas",
          "use_exponential_sigmas",
          "use_beta_sigmas",
          "invert_sigmas",
          "stochastic_sampling");

  /**
   * Reads the configuration.
   *
   * @param config the content of {@code scheduler_config.json}
   * @return its values
   * @throws ModelException if it describes another scheduler or asks for something unsupported
   */
  public static SchedulerConfig from(JsonConfig config) {
    config.oneOf("_class_name", CLASS_NAME, CLASS_NAME);
    config.oneOf("time_shift_type", "exponential", "exponential");
    for (String key : UNSUPPORTED) {
      if (config.flag(key, false)) {
        throw config.unsupported(key, "false, the only supported value");
      }
    }
    if (config.has("shift_terminal")) {
      throw config.unsupported("shift_terminal", "null, the only supported value");
    }
    if (config.positiveInt("num_train_timesteps", 1000) != 1000) {
      throw config.unsupported("num_train_timesteps", "1000, as FLUX.1 was trained");
    }
    double shift = config.number("shift", 1.0);
    if (!(shift > 0)) {
      throw config.unsupported("shift", "a positive number");
    }
    int baseTokens = config.positiveInt("base_image_seq_len", 256);
    int maxTokens = config.positiveInt("max_image_seq_len", 4096);
    if (baseTokens >= maxTokens) {
      throw config.unsupported("max_image_seq_len", "more than base_image_seq_len");
    }
    return new SchedulerConfig(
        new TimestepShift.Static(shift),
        new TimestepShift.Dynamic(
            config.number("base_shift", 0.5),
            config.number("max_shift", 1.15),
            baseTokens,
            maxTokens),
        config.flag("use_dynamic_shifting", false));
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
