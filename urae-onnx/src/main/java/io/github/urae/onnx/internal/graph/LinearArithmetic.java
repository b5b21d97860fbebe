package io.github.urae.onnx.internal.graph;

/** In what the linear layers of a network are computed. */
public enum LinearArithmetic {
  /** In the network's own type, whatever is stored. */
  PLAIN,
  /** From the weights as they are stored, where an operator takes them; otherwise plain. */
  AS_STORED,
  /** In 8-bit integers with a scale for each row of activations and each output channel. */
  INT8,
  /**
   * The same with unsigned weights, slower but exact where the processor adds pairs of products in
   * 16 bits, which twice 255 times 127 overflows: x64 without VNNI.
   */
  INT8_UNSIGNED,
  /** From weights in blocks of 8 bits, made of any. */
  Q8,
  /** From weights in blocks of 4 bits, made of any. */
  Q4;

  /**
   * Tells whether ONNX Runtime has to keep a rearranged copy of weights to be fast on a processor.
   *
   * @return whether there is no other way to compute so
   */
  public boolean needsPrepacking() {
    return this == Q8 || this == Q4;
  }

  /**
   * Tells whether activations are rounded to integers.
   *
   * @return whether products are of integers
   */
  public boolean isOfIntegers() {
    return this == INT8 || this == INT8_UNSIGNED;
  }
}
