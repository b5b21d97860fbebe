package io.github.urae.training;

import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a training will take, worked out before anything runs.
 *
 * @param pictures how many are trained on
 * @param width pixels of the largest of them
 * @param height pixels of the largest of them
 * @param textTokens tokens of a caption
 * @param imageTokens tokens of the largest picture
 * @param parameters numbers that are trained
 * @param parts what takes memory, at the largest picture; immutable
 * @param availableBytes memory that is free for it; empty where that cannot be told
 * @param stepFlops floating-point operations of an update, of all its pictures, at the mean of the
 *     pictures' sizes: a multiplication and an addition are two
 * @param flopsPerSecond what this machine does of them, measured for a moment
 * @param steps updates that are to be made
 * @param checkpointBytes what a checkpoint takes on the disk
 * @param refusal why the training would be refused, and what would fit; empty if it would not
 */
public record TrainingPlan(
    int pictures,
    int width,
    int height,
    long textTokens,
    long imageTokens,
    long parameters,
    List<Part> parts,
    OptionalLong availableBytes,
    double stepFlops,
    double flopsPerSecond,
    long steps,
    long checkpointBytes,
    Optional<String> refusal) {

  /**
   * Copies the list.
   *
   * @param pictures as above
   * @param width as above
   * @param height as above
   * @param textTokens as above
   * @param imageTokens as above
   * @param parameters as above
   * @param parts as above
   * @param availableBytes as above
   * @param stepFlops as above
   * @param flopsPerSecond as above
   * @param steps as above
   * @param checkpointBytes as above
   * @param refusal as above
   */
  public TrainingPlan {
    parts = List.copyOf(parts);
  }

  /**
   * A part of the memory.
   *
   * @param name what it is, for people
   * @param bytes how much it takes
   * @param inFiles whether these are pages of files, which the system can give to others and read
   *     again
   */
  public record Part(String name, long bytes, boolean inFiles) {}

  /**
   * Returns the memory that cannot be given to others.
   *
   * @return bytes, without pages of files
   */
  public long bytes() {
    return parts.stream().filter(part -> !part.inFiles()).mapToLong(Part::bytes).sum();
  }

  /**
   * Returns the pages of files that are read in every step: where memory does not hold them too,
   * each step reads them from the disk.
   *
   * @return bytes
   */
  public long fileBytes() {
    return parts.stream().filter(Part::inFiles).mapToLong(Part::bytes).sum();
  }

  /**
   * Estimates the time of a step.
   *
   * @return seconds
   */
  public double stepSeconds() {
    return stepFlops / flopsPerSecond;
  }
}
