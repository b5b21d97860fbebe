package io.github.urae.onnx.internal.generation;

import io.github.urae.InvalidRequestException;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.VaeTiling;
import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.onnx.internal.model.Networks;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a generation may take. Refuses what would exceed it, and names what would not.
 *
 * @param limit bytes; empty where anything may run
 * @param nativeSize pixels a side that drafts are made for
 */
record MemoryBudget(Planner planner, OptionalLong limit, int nativeSize) {

  static MemoryBudget of(Networks networks) {
    return new MemoryBudget(
        Planner.of(networks), networks.memoryLimit(), networks.checkpoint().nativeSize());
  }

  private boolean holds(Workload work) {
    return limit.isEmpty() || planner.plan(work).peakBytes() <= limit.getAsLong();
  }

  /** Left to itself, the autoencoder works in tiles where it would exceed the limit. */
  Workload tiledIfNeeded(Workload work) {
    return work.tiling() == VaeTiling.AUTO && !holds(work) ? work.withTiling(VaeTiling.ON) : work;
  }

  /** Refuses what would exceed the limit. */
  void check(Workload work) {
    if (holds(work)) {
      return;
    }
    GenerationPlan plan = planner.plan(work);
    throw InvalidRequestException.of(
        "size",
        work.grid().width()
            + "x"
            + work.grid().height()
            + " pixels: the "
            + plan.largest().component().id()
            + " is expected to take "
            + megabytes(plan.peakBytes())
            + ", more than the memory limit of "
            + megabytes(limit.orElseThrow())
            + "; "
            + whatFits(work));
  }

  private String whatFits(Workload asked) {
    Workload tiled = asked.withTiling(VaeTiling.ON);
    if (holds(tiled)) {
      return "with VAE tiling on it fits";
    }
    Workload single = tiled.oneAtATime();
    if (holds(single)) {
      return "with a batch size of 1 it fits";
    }
    return largestSize(single)
        .map(
            size ->
                "a size of "
                    + size.width()
                    + "x"
                    + size.height()
                    + (asked.images() > 1 ? " in batches of 1" : "")
                    + " fits")
        .orElse("no size fits; raise the limit");
  }

  private Optional<LatentGrid> largestSize(Workload work) {
    LatentGrid grid = work.grid();
    int unit = grid.layout().pixelsPerToken();
    for (int parts = 63; parts > 0; parts--) {
      int width = grid.columns() * parts / 64 * unit;
      int height = grid.rows() * parts / 64 * unit;
      boolean possible =
          width > 0 && height > 0 && (work.draft().isEmpty() || aboveNative(width, height));
      if (possible && holds(work.at(new LatentGrid(grid.layout(), width, height)))) {
        return Optional.of(new LatentGrid(grid.layout(), width, height));
      }
    }
    return Optional.empty();
  }

  /** Drafts are for larger pictures only; they all have about the same area. */
  private boolean aboveNative(int width, int height) {
    return (long) width * height > (long) nativeSize * nativeSize;
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%d MB", bytes >> 20);
  }
}
