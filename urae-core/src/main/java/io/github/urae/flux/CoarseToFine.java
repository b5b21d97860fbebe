package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.arithmetic.LatentGrid;
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
    if (draftSteps.isPresent() && draftSteps.getAsInt() < 1) {
      throw new InvalidRequestException(
          "steps of the draft: expected 1 or more, found " + draftSteps.getAsInt());
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

  /**
   * Returns the size of the draft.
   *
   * @param full the size of the picture
   * @param nativeSize pixels a side of the checkpoint's native size
   * @return at most the native area, in the same proportions up to rounding
   * @throws InvalidRequestException if the picture is no larger than the native area
   */
  public LatentGrid draft(LatentGrid full, int nativeSize) {
    double shrink = nativeSize / Math.sqrt((double) full.width() * full.height());
    if (shrink >= 1) {
      throw new InvalidRequestException(
          "coarse to fine: expected a picture above the native area of "
              + nativeSize
              + "x"
              + nativeSize
              + " pixels, found "
              + full.width()
              + "x"
              + full.height());
    }
    int unit = full.layout().pixelsPerToken();
    return new LatentGrid(
        full.layout(), shrunk(full.width(), shrink, unit), shrunk(full.height(), shrink, unit));
  }

  private static int shrunk(int pixels, double shrink, int unit) {
    int tokens = (int) Math.rint(pixels * shrink / unit);
    return Math.max(1, tokens) * unit;
  }
}
