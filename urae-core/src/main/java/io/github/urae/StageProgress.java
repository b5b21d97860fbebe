package io.github.urae;

import java.time.Duration;
import java.util.Optional;

/**
 * How far a stage of long work has come.
 *
 * @param stage what is being done
 * @param component id of the network that does it or that it is done to, such as {@code
 *     "transformer"}; empty where it concerns none or several
 * @param done units that are done, 0 to {@code total}
 * @param total units in all; where pictures are drawn in several batches or passes, those of all
 * @param unit what is counted
 * @param elapsed time since the stage began
 * @param remaining estimate of the time until the whole work is done, of which this may be one
 *     stage of several; empty while there is nothing to go by
 */
public record StageProgress(
    Stage stage,
    Optional<String> component,
    long done,
    long total,
    Unit unit,
    Duration elapsed,
    Optional<Duration> remaining) {

  /** What a stage counts. */
  public enum Unit {
    /** Bytes of weights, written. */
    BYTES,
    /** Networks. */
    NETWORKS,
    /** Prompts, counted once for each text encoder. */
    PROMPTS,
    /** Denoising steps. */
    STEPS,
    /** Tiles of pictures. */
    TILES,
    /** Whole pictures. */
    IMAGES,
    /** What has to end first. */
    TURNS
  }

  /**
   * Tells whether the stage is done.
   *
   * @return true for its last report
   */
  public boolean isComplete() {
    return done >= total;
  }
}
