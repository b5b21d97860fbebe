/**
 * The networks of FLUX.1 as ONNX graphs, built in memory from a checkpoint's configuration: CLIP's
 * text encoder, T5's encoder, the transformer, and the decoder of the autoencoder. A graph names
 * its weights as the checkpoint does and holds none of them.
 *
 * <p>What a graph takes from a checkpoint is a {@link
 * io.github.urae.onnx.internal.graph.GraphWeight} for each tensor: type, shape, and the {@link
 * io.github.urae.onnx.internal.graph.WeightForm} in which it is wanted, mostly its values. How a
 * linear layer is computed is chosen for each weight by how it is stored. An operator for quantised
 * weights is one {@code LinearLayer}, entered in {@link
 * io.github.urae.onnx.internal.graph.LinearLayers}, with a form for each tensor that it takes; what
 * does not lie so in the user's files is written to the cache by {@code session.Weights}.
 */
package io.github.urae.onnx.internal.graph;
