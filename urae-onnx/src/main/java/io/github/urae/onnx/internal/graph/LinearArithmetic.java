package io.github.urae.onnx.internal.graph;

/** In what the linear layers of a network are computed. */
public enum LinearArithmetic {
  /** In the network's own type, whatever is stored. */
  PLAIN,
  /** From the weights as they are stored, where an operator takes them; otherwise plain. */
  AS_STORED,
  /** In 8-bit integers with a scale for each row of activations and each output channel. */
  INT8,
  /** From weights in blocks of 8 bits, made of any. */
  Q8,
  /** From weights in blocks of 4 bits, made of any. */
  Q4
}
