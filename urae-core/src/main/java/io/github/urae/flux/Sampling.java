package io.github.urae.flux;

import io.github.urae.flux.arithmetic.SigmaSpacing;
import io.github.urae.flux.arithmetic.Solver;
import java.util.Objects;
import java.util.Optional;

/**
 * What a request puts in the place of the checkpoint's scheduler, {@code
 * scheduler/scheduler_config.json}. The rest of that stays as it is; the timestep shift is the
 * {@link Profile}'s.
 *
 * @param sigmas how noise levels are spaced; empty for the scheduler's own way
 * @param solver how steps are made; empty for the scheduler's own
 */
public record Sampling(Optional<SigmaSpacing> sigmas, Optional<Solver> solver) {

  /** The checkpoint's scheduler as it is. */
  public static final Sampling AUTO = new Sampling(Optional.empty(), Optional.empty());

  /**
   * Checks that nothing is null.
   *
   * @param sigmas as above
   * @param solver as above
   */
  public Sampling {
    Objects.requireNonNull(sigmas, "sigmas");
    Objects.requireNonNull(solver, "solver");
  }

  /**
   * Returns these settings with noise levels spaced in another way.
   *
   * @param value the way
   * @return new settings
   */
  public Sampling withSigmas(SigmaSpacing value) {
    return new Sampling(Optional.of(value), solver);
  }

  /**
   * Returns these settings with another solver; noise levels stay.
   *
   * @param value the solver
   * @return new settings
   */
  public Sampling withSolver(Solver value) {
    return new Sampling(sigmas, Optional.of(value));
  }
}
