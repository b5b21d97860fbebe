package io.github.urae.training;

import java.util.List;

/**
 * What a preparation has done.
 *
 * @param pictures pictures that can be trained on now
 * @param encodedPictures latents that were made
 * @param keptPictures latents that were there and fit
 * @param encodedCaptions embeddings that were made
 * @param keptCaptions embeddings that were there and fit
 * @param shortened names of the pictures that have a caption of more tokens than T5 was given,
 *     among those whose captions were encoded
 * @param enlarged names of the pictures that had to be enlarged, among those that were encoded
 * @param skipped what cannot be trained on, and why, in the order of files
 */
public record PreparationReport(
    int pictures,
    int encodedPictures,
    int keptPictures,
    int encodedCaptions,
    int keptCaptions,
    List<String> shortened,
    List<String> enlarged,
    List<SkippedPicture> skipped) {

  /**
   * Copies the lists.
   *
   * @param pictures as above
   * @param encodedPictures as above
   * @param keptPictures as above
   * @param encodedCaptions as above
   * @param keptCaptions as above
   * @param shortened as above
   * @param enlarged as above
   * @param skipped as above
   */
  public PreparationReport {
    shortened = List.copyOf(shortened);
    enlarged = List.copyOf(enlarged);
    skipped = List.copyOf(skipped);
  }
}
