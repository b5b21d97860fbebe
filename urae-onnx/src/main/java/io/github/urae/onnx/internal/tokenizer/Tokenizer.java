package io.github.urae.onnx.internal.tokenizer;

import java.io.Closeable;

/**
 * Turns a prompt into token ids of a fixed length. Thread-safe. Owns native memory: closed by
 * whoever opened it; closing twice is harmless.
 */
public interface Tokenizer extends Closeable {

  /**
   * Returns the ids of a prompt, with the special tokens that the text encoder expects, cut or
   * padded to a length.
   *
   * @param text any text, also empty
   * @param length number of ids
   * @return {@code length} ids
   * @throws IllegalArgumentException if the special tokens alone are more than {@code length}
   * @throws IllegalStateException if the tokenizer is closed
   */
  long[] encode(String text, int length);

  /**
   * Returns the end of a prompt that {@link #encode} cuts off.
   *
   * @param text any text
   * @param length number of ids, as there
   * @return as it is spelt in {@code text}, without white space around it; empty text if nothing is
   *     cut off
   * @throws IllegalStateException if the tokenizer is closed
   */
  String lost(String text, int length);

  /**
   * Returns the most ids the tokenizer's own configuration allows.
   *
   * @return {@code model_max_length}, or {@code Integer.MAX_VALUE} if it sets none
   */
  int maxLength();

  @Override
  void close();
}
