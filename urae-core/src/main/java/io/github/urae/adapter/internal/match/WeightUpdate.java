package io.github.urae.adapter.internal.match;

import io.github.urae.adapter.internal.format.AdapterModule;
import io.github.urae.adapter.internal.format.Change;
import java.util.List;

/** One change of one weight. Updates of a weight are applied in the order of their chain. */
public sealed interface WeightUpdate {

  /** The module of the adapter that the change comes from. */
  AdapterModule module();

  /**
   * What the change is multiplied by: the user's scale and, for low-rank updates, alpha / rank. At
   * 0 nothing changes.
   */
  double scale();

  /**
   * Adds {@code scale * B A} to some rows of the weight.
   *
   * @param change B and A
   * @param moduleRow first row of B
   * @param weightRow first row of the weight
   * @param rows how many
   */
  record LowRank(
      AdapterModule module,
      Change.LowRank change,
      double scale,
      long moduleRow,
      long weightRow,
      long rows)
      implements WeightUpdate {}

  /**
   * Changes some rows of the weight in any other way. With W0 for them as they are, and the
   * change's own scale: they become {@code W0 + scale * (W1 - W0)}, where W1 is {@code W0 +
   * change}, the replacement, or what the magnitude makes of it.
   *
   * @param moduleRow first row of the change
   * @param weightRow first row of the weight
   * @param rows how many
   * @param parts all parts of the module, in any order; this is one of them
   */
  record General(
      AdapterModule module,
      double scale,
      long moduleRow,
      long weightRow,
      long rows,
      List<Part> parts)
      implements WeightUpdate {}

  /**
   * Some rows of a module that lies in several weights.
   *
   * @param weight the weight's name, of the same network
   * @param before how many updates of that weight come before the module
   * @param moduleRow first row in the module
   * @param weightRow first row in the weight
   * @param rows how many
   */
  record Part(String weight, int before, long moduleRow, long weightRow, long rows) {}

  /**
   * Replaces the weight's smallest singular components, as many as the module's rank, by the
   * trained ones: adds {@code scale * (B A - Bm Am)}.
   *
   * @param change B and A
   */
  record Minor(AdapterModule module, Change.LowRank change, double scale) implements WeightUpdate {}
}
