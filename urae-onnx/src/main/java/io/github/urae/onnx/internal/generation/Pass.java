package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.Profile;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.Schedule;
import java.util.Arrays;

/**
 * One way through a schedule at one size.
 *
 * @param whole the schedule from noise on
 * @param schedule the part that runs
 * @param ofDraft whether it is the first of two passes
 */
record Pass(LatentGrid grid, Profile profile, Schedule whole, Schedule schedule, boolean ofDraft) {

  /** Takes the last part of a schedule. */
  static Pass of(
      LatentGrid grid, Profile profile, Schedule whole, double strength, boolean ofDraft) {
    return new Pass(grid, profile, whole, whole.lastPart(strength), ofDraft);
  }

  /** Returns a range of pictures out of the packed latents of all. */
  float[] part(float[] all, int first, int count) {
    int elements = grid.latentElements();
    return Arrays.copyOfRange(all, first * elements, (first + count) * elements);
  }
}
