/** The autoencoder around its networks: tiles, previews, pixels. */
package io.github.urae.onnx.internal.image;
