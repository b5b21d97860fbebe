/**
 * What a training step takes and gives, and what is trained: plain values, without a type of the
 * library that computes.
 */
package io.github.urae.training.internal.engine;
