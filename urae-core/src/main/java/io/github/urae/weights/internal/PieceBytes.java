package io.github.urae.weights.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The memory that a thread reads pieces of weights into, before they become numbers. On the heap:
 * direct memory of its own for every call would wait for the garbage collector, and with new arrays
 * the heap would grow with what is read.
 */
public final class PieceBytes {

  /** The most bytes of a piece: they stay in the second cache until they are converted. */
  public static final int SIZE = 1 << 16;

  private static final ThreadLocal<byte[]> PIECES = ThreadLocal.withInitial(() -> new byte[SIZE]);

  private PieceBytes() {}

  /**
   * Returns the calling thread's memory.
   *
   * @return little-endian, of {@link #SIZE}; what is in it stays until the next weight is read
   */
  public static ByteBuffer ofThread() {
    return ByteBuffer.wrap(PIECES.get()).order(ByteOrder.LITTLE_ENDIAN);
  }
}
