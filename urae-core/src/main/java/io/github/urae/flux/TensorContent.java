package io.github.urae.flux;

import io.github.urae.InvalidRequestException;
import io.github.urae.tensor.Tensor;

/** Tensors compared and told apart by what they hold. */
final class TensorContent {

  private TensorContent() {}

  /** Tells whether type, shape and all bytes are the same. */
  static boolean equal(Tensor a, Tensor b) {
    return a == b
        || (a.type() == b.type() && a.shape().equals(b.shape()) && a.data().equals(b.data()));
  }

  /** Refuses numbers that no picture can be made from. */
  static void checkFinite(String parameter, String name, Tensor tensor) {
    float[] part = new float[1 << 12];
    long count = tensor.shape().elementCount();
    for (long first = 0; first < count; first += part.length) {
      int length = (int) Math.min(part.length, count - first);
      tensor.toFloats(first, part, 0, length);
      for (int i = 0; i < length; i++) {
        if (!Float.isFinite(part[i])) {
          throw InvalidRequestException.of(
              parameter,
              name + ": expected finite numbers, found " + part[i] + " at " + (first + i));
        }
      }
    }
  }

  /** Goes with {@link #equal}. */
  static int hash(Tensor tensor) {
    return 31 * tensor.shape().hashCode() + tensor.data().hashCode();
  }

  /** Returns one row of the first axis, float32 [1, ...]. */
  static Tensor row(Tensor tensor, int index) {
    long[] dimensions = tensor.shape().toArray();
    int length = Math.toIntExact(tensor.shape().elementCount() / dimensions[0]);
    float[] values = new float[length];
    tensor.toFloats((long) index * length, values, 0, length);
    dimensions[0] = 1;
    return Tensor.ofFloats(values, dimensions);
  }
}
