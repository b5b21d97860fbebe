/**
 * The networks of FLUX.1 as ONNX graphs, built in memory from a checkpoint's configuration: CLIP's
 * text encoder, T5's encoder, the transformer, and the decoder of the autoencoder. A graph names
 * its weights as the checkpoint does and holds none of them.
 */
package io.github.urae.onnx.internal.graph;
