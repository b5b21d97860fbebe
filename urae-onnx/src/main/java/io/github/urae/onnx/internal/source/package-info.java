/**
 * Networks that were exported to ONNX: reading their files, recovering the names of their
 * parameters, and graphs over their weights; and writing exports.
 */
package io.github.urae.onnx.internal.source;
