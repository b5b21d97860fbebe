/** The training step on libtorch. No type of libtorch is seen outside this package. */
package io.github.urae.training.internal.torch;
