package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.Schedule;
import java.util.OptionalInt;

/**
 * How a large picture is drawn in two passes: first as a draft of the checkpoint's native area and
 * the same proportions, in the standard profile; then, enlarged with Lanczos' filter, it is the
 * start of the last part of the schedule at full size. That part costs less than the whole, and the
 * composition is one that the checkpoint was trained for, also without adapters.
 *
 * @param strength how much of the schedule runs at full size, in (0, 1]; more draws more detail,
 *     and more of what a model does wrong beyond its native size
 * @param draftSteps denoising steps of the draft; empty for as many as the whole schedule has
 */
public record CoarseToFine(double strength, OptionalInt draftSteps) implements Start {

  /** Share of the schedule that runs at full size unless told otherwise. */
  public static final double DEFAULT_STRENGTH = 0.2;

  /**
   * Checks the ranges.
   *
   * @param strength as above
   * @param draftSteps as above
   */
  public CoarseToFine {
    InitialImage.checkStrength(strength);
    if (draftSteps.isPresent()
        && (draftSteps.getAsInt() < 1 || draftSteps.getAsInt() > Schedule.MAX_STEPS)) {
      throw InvalidRequestException.of(
          "start.draft_steps",
          "steps of the draft: expected 1 to "
              + Schedule.MAX_STEPS
              + ", found "
              + draftSteps.getAsInt());
    }
  }

  /**
   * Returns the defaults.
   *
   * @return a strength of {@link #DEFAULT_STRENGTH}, as many steps for the draft as the schedule
   *     has
   */
  public static CoarseToFine defaults() {
    return ofStrength(DEFAULT_STRENGTH);
  }

  /**
   * Returns the defaults with another strength.
   *
   * @param strength in (0, 1]
   * @return the settings
   */
  public static CoarseToFine ofStrength(double strength) {
    return new CoarseToFine(strength, OptionalInt.empty());
  }
}
