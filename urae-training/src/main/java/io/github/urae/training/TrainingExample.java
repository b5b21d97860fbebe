package io.github.urae.training;

/**
 * A picture that can be trained on.
 *
 * @param name its path within the folder, without its ending, with {@code /} on all systems
 * @param width pixels of the picture that was encoded
 * @param height pixels of the picture that was encoded
 * @param imageTokens tokens that the transformer sees of it
 * @param textTokens tokens of its caption, padding included
 * @param original whether there are embeddings of the original caption ({@code prompt})
 * @param generated whether there are embeddings of one that a model has written ({@code
 *     generated_prompt})
 */
public record TrainingExample(
    String name,
    int width,
    int height,
    int imageTokens,
    int textTokens,
    boolean original,
    boolean generated) {}
