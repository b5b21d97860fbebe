package io.github.urae.onnx.internal.graph;

import java.lang.ref.WeakReference;

/**
 * A large array that is needed again and again, but not for long: kept from one use to the next
 * unless the collector takes it. Thread-safe.
 */
final class SpareBytes {

  private WeakReference<byte[]> spare = new WeakReference<>(null);

  /** Takes an array of a size at least; what is in it may be anything. */
  synchronized byte[] take(int size) {
    byte[] known = spare.get();
    spare.clear();
    return known != null && known.length >= size ? known : new byte[size];
  }

  /** Gives one back. */
  synchronized void giveBack(byte[] bytes) {
    spare = new WeakReference<>(bytes);
  }
}
