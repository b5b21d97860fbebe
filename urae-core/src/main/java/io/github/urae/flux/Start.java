package io.github.urae.flux;

/** What a generation starts from, where that is not noise drawn from its seeds alone. */
public sealed interface Start permits InitialLatents, InitialImage, CoarseToFine {

  /**
   * Returns how much of the schedule runs at full size.
   *
   * @return in (0, 1]
   */
  double strength();
}
