/** A stored model becomes networks that run: sources, weights, adapters, lifetimes. */
package io.github.urae.onnx.internal.model;
