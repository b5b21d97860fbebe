/** A training on the disk: checkpoints to continue from, and adapters to use. */
package io.github.urae.training.internal.checkpoint;
