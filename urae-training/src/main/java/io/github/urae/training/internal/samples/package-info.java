/** Pictures that are drawn with an adapter while it is trained. */
package io.github.urae.training.internal.samples;
