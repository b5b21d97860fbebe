package io.github.urae.onnx.internal.tokenizer;

import java.util.Arrays;

/** The text's tokens between special ones, which stay where the text is cut; then padding. */
abstract class FramedTokenizer implements Tokenizer {

  private final NativeTokenizer tokenizer;
  private final long[] before;
  private final long end;
  private final long pad;
  private final int maxLength;

  /**
   * @param tokenizer gives the text's tokens; this one's from now on
   * @param before ids before the text
   * @param end id of the token after it
   * @param pad id of the padding
   * @param maxLength as for {@link #maxLength()}
   */
  FramedTokenizer(NativeTokenizer tokenizer, long[] before, long end, long pad, int maxLength) {
    this.tokenizer = tokenizer;
    this.before = before;
    this.end = end;
    this.pad = pad;
    this.maxLength = maxLength;
  }

  /** Returns how many of the text's tokens there is room for. */
  private int room(int length) {
    return length - before.length - 1;
  }

  @Override
  public final long[] encode(String text, int length) {
    if (room(length) < 0) {
      throw new IllegalArgumentException(
          "expected room for " + (before.length + 1) + " special tokens, got " + length);
    }
    long[] words = tokenizer.encode(text);
    int kept = Math.min(words.length, room(length));
    long[] ids = Arrays.copyOf(before, length);
    System.arraycopy(words, 0, ids, before.length, kept);
    ids[before.length + kept] = end;
    Arrays.fill(ids, before.length + kept + 1, length, pad);
    return ids;
  }

  @Override
  public final String lost(String text, int length) {
    return tokenizer.after(text, room(length));
  }

  @Override
  public final int maxLength() {
    return maxLength;
  }

  @Override
  public final void close() {
    tokenizer.close();
  }
}
