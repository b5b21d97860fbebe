package io.github.urae.adapter.internal.format;

/**
 * DoRA: after a change, each row or each column of the weight is brought to a length of its own.
 *
 * @param lengths the lengths, as a column; as many as the change has rows or columns
 * @param ofColumns whether they are those of columns, as LyCORIS and OneTrainer may have it
 * @see <a href="https://arxiv.org/abs/2402.09353">DoRA: weight-decomposed low-rank adaptation</a>
 */
public record Magnitude(Matrix lengths, boolean ofColumns) {}
