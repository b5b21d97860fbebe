/**
 * From a graph and weights to something that runs: checking a checkpoint against a graph,
 * converting element types through the cache, provider options, and sessions.
 */
package io.github.urae.onnx.internal.session;
