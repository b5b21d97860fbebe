/**
 * What reads and writes weights: mapped files, headers and shards, {@link
 * io.github.urae.weights.internal.PlacedTensors tensors at their places}, and their encodings.
 *
 * <p>And the cache: weight files that were derived from a checkpoint (brought into the form that a
 * session takes, or merged with adapters) and can be derived again. It may be deleted at any time.
 */
package io.github.urae.weights.internal;
