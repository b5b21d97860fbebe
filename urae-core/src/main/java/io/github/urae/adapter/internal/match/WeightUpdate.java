package io.github.urae.adapter.internal.match;

import io.github.urae.adapter.internal.format.AdapterModule;

/** One change of one weight. Updates of a weight are applied in the order of their chain. */
public sealed interface WeightUpdate {

  /** The module of the adapter that the change comes from. */
  AdapterModule module();

  /** What the change is multiplied by: the user's scale and, for low-rank updates, alpha / rank. */
  double scale();

  /**
   * Adds {@code scale * B A} to some rows of the weight.
   *
   * @param moduleRow first row of B
   * @param weightRow first row of the weight
   * @param rows how many
   */
  record LowRank(AdapterModule module, double scale, long moduleRow, long weightRow, long rows)
      implements WeightUpdate {}

  /**
   * Replaces the weight's smallest singular components, as many as the module's rank, by the
   * trained ones: adds {@code scale * (B A - Bm Am)}.
   */
  record Minor(AdapterModule module, double scale) implements WeightUpdate {}
}
