package io.github.urae.fuzz;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * Changes a GGUF file where its numbers are: counts, lengths, types, dimensions and offsets, which
 * all are integers of 32 or 64 bits; and cuts it short, or repeats parts of it.
 */
record GgufMutation() implements Mutation {

  private static final int MAX_CHANGES = 8;

  /** Most headers end before; scales of blocks lie behind. */
  private static final int MOSTLY_HEADER = 1 << 10;

  private static final List<Long> NUMBERS =
      List.of(
          0L,
          1L,
          2L,
          3L,
          4L,
          5L,
          8L,
          9L,
          12L,
          13L,
          14L,
          23L,
          24L,
          30L,
          31L,
          32L,
          33L,
          64L,
          256L,
          1L << 16,
          1L << 20,
          1L << 31,
          1L << 32,
          1L << 40,
          1L << 61,
          1L << 62,
          Long.MAX_VALUE,
          Long.MIN_VALUE,
          -1L,
          -32L,
          -64L);

  /** Returns a file with an array of strings, one of numbers, and a tensor. */
  static byte[] example() {
    ByteBuffer file = ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);
    file.put(new byte[] {'G', 'G', 'U', 'F'}).putInt(3).putLong(1).putLong(3);
    putString(file, "general.alignment");
    file.putInt(4).putInt(32);
    putString(file, "tokenizer.ggml.tokens");
    file.putInt(9).putInt(8).putLong(2);
    putString(file, "a");
    putString(file, "bc");
    putString(file, "tokenizer.ggml.scores");
    file.putInt(9).putInt(6).putLong(2).putFloat(0).putFloat(-1);
    putString(file, "img_in.weight");
    file.putInt(2).putLong(32).putLong(2).putInt(2).putLong(0);
    file.position((file.position() + 31) / 32 * 32 + 36);
    return Arrays.copyOf(file.array(), file.position());
  }

  private static void putString(ByteBuffer file, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    file.putLong(bytes.length).put(bytes);
  }

  @Override
  public byte[] change(byte[] example, Choices choices) {
    byte[] changed = example.clone();
    ByteBuffer file = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = choices.below(MAX_CHANGES); i >= 0; i--) {
      int end = choices.oneIn(4) ? changed.length : Math.min(MOSTLY_HEADER, changed.length);
      int at = choices.below(end - Long.BYTES);
      switch (choices.below(4)) {
        case 0 -> file.putLong(at, choices.of(NUMBERS));
        case 1 -> file.putInt(at, choices.of(NUMBERS).intValue());
        case 2 -> file.put(at, (byte) choices.below(256));
        default -> {
          int from = choices.below(end - Long.BYTES);
          int length = Math.min(choices.below(64), changed.length - Math.max(at, from));
          System.arraycopy(example, from, changed, at, length);
        }
      }
    }
    return choices.oneIn(8) ? Arrays.copyOf(changed, choices.below(changed.length + 1)) : changed;
  }
}
