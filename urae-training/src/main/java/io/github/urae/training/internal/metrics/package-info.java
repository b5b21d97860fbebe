/** What a training tells of itself: a table, a drawing of the loss, and files for TensorBoard. */
package io.github.urae.training.internal.metrics;
