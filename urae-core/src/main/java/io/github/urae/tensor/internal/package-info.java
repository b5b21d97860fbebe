/** Conversion of elements. */
package io.github.urae.tensor.internal;
