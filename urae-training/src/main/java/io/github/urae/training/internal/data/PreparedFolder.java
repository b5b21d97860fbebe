package io.github.urae.training.internal.data;

import java.util.List;

/**
 * What a preparation has done.
 *
 * @param pictures pictures that can be trained on now
 * @param encodedPictures latents that were made
 * @param keptPictures latents that were there
 * @param encodedCaptions embeddings that were made
 * @param keptCaptions embeddings that were there
 * @param shortened names of pictures with a caption longer than T5's tokens
 * @param enlarged names of pictures that were encoded now and had to be enlarged
 * @param skipped what cannot be trained on
 */
public record PreparedFolder(
    int pictures,
    int encodedPictures,
    int keptPictures,
    int encodedCaptions,
    int keptCaptions,
    List<String> shortened,
    List<String> enlarged,
    List<Skipped> skipped) {}
