/**
 * Quantised weights of safetensors files, of which the format itself knows nothing: several tensors
 * make one weight, told by their names.
 */
package io.github.urae.weights.internal.quantised;
