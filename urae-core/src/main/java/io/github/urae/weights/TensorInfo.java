package io.github.urae.weights;

import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import java.nio.file.Path;

/**
 * Where a stored tensor lies and what it is.
 *
 * @param name name in the file, for instance {@code transformer_blocks.0.attn.to_q.weight}
 * @param type element type
 * @param shape dimensions, outermost first
 * @param file the file that holds the bytes
 * @param offset position of the first byte in that file; not necessarily aligned
 * @param length number of bytes
 */
public record TensorInfo(
    String name, ElementType type, Shape shape, Path file, long offset, long length) {

  /** Returns the tensor as in {@code a.weight BF16[8, 4] of model.safetensors}. */
  @Override
  public String toString() {
    return name + " " + type + shape + " of " + file;
  }
}
