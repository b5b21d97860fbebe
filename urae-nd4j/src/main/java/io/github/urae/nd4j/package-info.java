/** Tensors as arrays of ND4J, and back. */
package io.github.urae.nd4j;
