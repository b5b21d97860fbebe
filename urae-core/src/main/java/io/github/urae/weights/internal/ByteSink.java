package io.github.urae.weights.internal;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Takes the bytes of a weight, piece by piece. */
@FunctionalInterface
public interface ByteSink {

  /**
   * Takes the next bytes.
   *
   * @param piece from position to limit; valid during the call only
   * @throws IOException if they cannot be written
   */
  void accept(ByteBuffer piece) throws IOException;
}
