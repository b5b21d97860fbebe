package io.github.urae.onnx.internal.graph;

/** What a linear layer is in its network, which decides how far its arithmetic may be rounded. */
enum LayerRole {
  /** Inside a block of the transformer, on every token: nearly all of the arithmetic. */
  BLOCK,
  /**
   * Turns the conditioning into shifts, scales and gates of a block: one row of activations a
   * picture, so that reading the weights, more than a quarter of FLUX.1's, is all of the work.
   */
  MODULATION,
  /**
   * Inside a text encoder, once a prompt. T5's activations have outliers of a thousand times the
   * rest, beside which a single 8-bit scale leaves nothing of it.
   */
  ENCODER,
  /** Before or after the blocks: few weights, whose errors meet everything. */
  EDGE
}
