/** Element types, shapes, and tensors as views over byte buffers. */
package io.github.urae.tensor;
