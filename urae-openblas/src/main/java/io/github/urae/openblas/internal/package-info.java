/**
 * OpenBLAS and its LAPACK: products of low rank, and the smallest singular triplets of a matrix by
 * inverse Lanczos iteration.
 */
package io.github.urae.openblas.internal;
