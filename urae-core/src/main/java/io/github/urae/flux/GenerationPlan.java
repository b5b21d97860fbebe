package io.github.urae.flux;

import java.util.Comparator;
import java.util.List;

/**
 * What a generation will take, worked out before anything runs.
 *
 * @param width pixels
 * @param height pixels
 * @param steps denoising steps
 * @param textTokens tokens that the text encoders make
 * @param imageTokens tokens of one picture
 * @param tiled whether the autoencoder decodes tile by tile
 * @param stages what runs, in order
 */
public record GenerationPlan(
    int width,
    int height,
    int steps,
    int textTokens,
    long imageTokens,
    boolean tiled,
    List<Stage> stages) {

  /**
   * A part of a generation.
   *
   * @param name the network that runs
   * @param flops floating-point operations of all its runs: a multiplication and an addition are
   *     two
   * @param peakBytes most memory at once, of the device and of the Java heap together, beside the
   *     JVM's own; on the processor, weights are file pages and not counted unless they are
   *     prepacked
   */
  public record Stage(String name, double flops, long peakBytes) {}

  /**
   * Returns all floating-point operations.
   *
   * @return the sum over the stages
   */
  public double flops() {
    return stages.stream().mapToDouble(Stage::flops).sum();
  }

  /**
   * Returns the stage that takes most memory.
   *
   * @return the first of them
   */
  public Stage largest() {
    return stages.stream().max(Comparator.comparingLong(Stage::peakBytes)).orElseThrow();
  }

  /**
   * Returns the most memory at once.
   *
   * @return bytes, of the largest stage
   */
  public long peakBytes() {
    return largest().peakBytes();
  }
}
