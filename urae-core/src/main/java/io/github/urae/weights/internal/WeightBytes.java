package io.github.urae.weights.internal;

import java.io.IOException;

/** Gives the bytes of weights that are to be written. */
@FunctionalInterface
public interface WeightBytes {

  /**
   * Gives a weight.
   *
   * @param name its name in the new file
   * @param sink takes the bytes, piece by piece
   * @throws IOException if they cannot be read or written
   */
  void writeTo(String name, ByteSink sink) throws IOException;
}
