package io.github.urae.weights;

/** How the bytes at a tensor's place in its file relate to the tensor. */
public enum TensorLayout {
  /** They are the tensor, row-major. */
  ROW_MAJOR,
  /** They are its transpose, row-major; the tensor has two dimensions. */
  TRANSPOSED,
  /** The tensor lies in no one piece: only {@code tensor} and {@code read} give its bytes. */
  SCATTERED
}
