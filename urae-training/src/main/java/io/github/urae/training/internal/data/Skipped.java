package io.github.urae.training.internal.data;

import java.nio.file.Path;

/**
 * Something that is not trained on.
 *
 * @param file a picture, or what names it
 * @param reason why not, and the way out
 */
public record Skipped(Path file, String reason) {}
