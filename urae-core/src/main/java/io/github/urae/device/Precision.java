package io.github.urae.device;

/**
 * Element type of weights and arithmetic of the text encoders and the transformer. The autoencoder
 * is always float32. Checkpoints in another type are converted once, into the cache.
 */
public enum Precision {
  /**
   * float32 on the processor. On a GPU, bfloat16, or float16 where the NVIDIA driver says that it
   * has none (compute capability below 8.0: before Ampere).
   */
  AUTO,
  /** Four bytes a weight: the one choice on the processor; on a GPU, to compare with. */
  FLOAT32,
  /**
   * IEEE half precision, on a GPU only. T5 overflows in it and stays in float32; the transformer's
   * hidden states are bounded to its range, as diffusers does.
   */
  FLOAT16,
  /** The range of float32 in two bytes, in which FLUX.1 was trained; on a GPU only. */
  BFLOAT16;

  /**
   * Reads a precision as people write it.
   *
   * @param text {@code auto}, {@code float32}, {@code float16} or {@code bfloat16}
   * @return the precision
   * @throws IllegalArgumentException if it is none of them
   */
  public static Precision parse(String text) {
    return switch (text) {
      case "auto" -> AUTO;
      case "float32" -> FLOAT32;
      case "float16" -> FLOAT16;
      case "bfloat16" -> BFLOAT16;
      default ->
          throw new IllegalArgumentException(
              "expected auto, float32, float16 or bfloat16, found '" + text + "'");
    };
  }
}
