package io.github.urae.device;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Element type of weights and arithmetic of the text encoders and the transformer. The autoencoder
 * is always float32. Checkpoints in another form are converted once, into the cache.
 *
 * <p>{@link #AUTO} and the floating-point types are exact: they compute with the values that the
 * checkpoint holds. {@link #FAST}, {@link #INT8}, {@link #Q8} and {@link #Q4} round weights to
 * fewer bits, for speed or memory; what that costs is in the documentation.
 */
public enum Precision {
  /**
   * float32 on the processor. On a GPU, bfloat16, or float16 where the NVIDIA driver says that it
   * has none (compute capability below 8.0: before Ampere). Weights that are stored quantised are
   * computed with as they are stored where the device can.
   */
  AUTO,
  /** Four bytes a weight, whatever is stored; on a GPU, to compare with. */
  FLOAT32,
  /**
   * IEEE half precision, on a GPU only. T5 overflows in it and stays in float32; the transformer's
   * hidden states are bounded to its range, as diffusers does.
   */
  FLOAT16,
  /** The range of float32 in two bytes, in which FLUX.1 was trained; on a GPU only. */
  BFLOAT16,
  /**
   * The fastest arithmetic of the device that is about as exact as bfloat16: {@link #INT8} on the
   * processor, {@link #AUTO} on a GPU.
   */
  FAST,
  /**
   * Matrix products of the transformer's blocks in 8-bit integers, one scale for each row of
   * activations and each output channel of the weights; on the processor only.
   */
  INT8,
  /** Weights in blocks of 8-bit integers, activations in floating point. */
  Q8,
  /** Weights in blocks of 4-bit integers, activations in floating point. */
  Q4;

  /**
   * Reads a precision as people write it.
   *
   * @param text the name of a value in lower case, such as {@code auto} or {@code int8}
   * @return the precision
   * @throws IllegalArgumentException if it is none of them
   */
  public static Precision parse(String text) {
    return Arrays.stream(values())
        .filter(precision -> precision.toString().equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "expected one of "
                        + Arrays.stream(values())
                            .map(Precision::toString)
                            .collect(Collectors.joining(", "))
                        + ", found '"
                        + text
                        + "'"));
  }

  /**
   * Returns the name as people write it.
   *
   * @return the name in lower case
   */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
