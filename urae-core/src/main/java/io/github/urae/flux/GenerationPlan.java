package io.github.urae.flux;

import io.github.urae.Stage;
import io.github.urae.flux.model.Component;
import java.util.Comparator;
import java.util.List;

/**
 * What a generation will take, worked out before anything runs.
 *
 * @param width pixels
 * @param height pixels
 * @param steps denoising steps at full size
 * @param textTokens tokens that the text encoders make
 * @param imageTokens tokens of one picture
 * @param tiled whether the autoencoder decodes tile by tile
 * @param phases what runs, in order; immutable
 */
public record GenerationPlan(
    int width,
    int height,
    int steps,
    int textTokens,
    long imageTokens,
    boolean tiled,
    List<Phase> phases) {

  /**
   * A part of a generation: all runs of one network, for all prompts and images.
   *
   * @param stage what is done
   * @param component the network that runs
   * @param ofDraft whether it belongs to the draft of a coarse-to-fine generation
   * @param flops floating-point operations of all its runs: a multiplication and an addition are
   *     two
   * @param peakBytes most memory at once, of the device and of the Java heap together, beside the
   *     JVM's own; on the processor, weights are file pages and not counted unless they are
   *     prepacked
   */
  public record Phase(
      Stage stage, Component component, boolean ofDraft, double flops, long peakBytes) {}

  /**
   * Returns all floating-point operations.
   *
   * @return the sum over the phases
   */
  public double flops() {
    return phases.stream().mapToDouble(Phase::flops).sum();
  }

  /**
   * Returns the phase that takes most memory.
   *
   * @return the first of them
   */
  public Phase largest() {
    return phases.stream().max(Comparator.comparingLong(Phase::peakBytes)).orElseThrow();
  }

  /**
   * Returns the most memory at once.
   *
   * @return bytes, of the largest phase
   */
  public long peakBytes() {
    return largest().peakBytes();
  }
}
