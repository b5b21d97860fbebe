/** Dense linear algebra: the smallest singular triplets of a matrix. */
package io.github.urae.adapter.internal.algebra;
