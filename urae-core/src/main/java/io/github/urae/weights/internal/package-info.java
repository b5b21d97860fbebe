/**
 * The cache: weight files that were derived from a checkpoint (converted to another element type,
 * or merged with adapters) and can be derived again. May be deleted at any time.
 */
package io.github.urae.weights.internal;
