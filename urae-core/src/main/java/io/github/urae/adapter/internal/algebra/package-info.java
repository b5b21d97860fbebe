/**
 * Dense linear algebra: products of low rank, which plain Java computes too, and the smallest
 * singular triplets of a matrix, which only an implementation from outside finds.
 */
package io.github.urae.adapter.internal.algebra;
