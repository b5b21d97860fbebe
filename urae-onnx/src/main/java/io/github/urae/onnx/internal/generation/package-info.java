/** A request becomes latents: text encoding, denoising, plans. */
package io.github.urae.onnx.internal.generation;
