package io.github.urae.onnx.internal.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;

/**
 * SentencePiece's map from characters to what they are normalised to, checked: the native library
 * follows it without looking, and ends the process where it leads out of bounds.
 *
 * <p>In Base64: the size of a trie in bytes, the trie as little-endian 32-bit units, then all
 * results in UTF-8, each ended by a zero. A unit holds the byte that leads to it, the place of its
 * children relative to its own, and whether one of them is a result: its position.
 *
 * @see <a href="https://github.com/google/sentencepiece/blob/master/src/normalizer.cc">
 *     SentencePiece: {@code normalizer.cc}</a>
 * @see <a href="https://github.com/s-yata/darts-clone">Darts-clone, the trie</a>
 */
final class CharacterMap {

  private static final int CHILDREN = 256;

  /** Longest result in bytes; Unicode's own compatibility forms stay below 40. */
  private static final int LONGEST_RESULT = 256;

  private final int[] units;
  private final byte[] results;

  private CharacterMap(int[] units, byte[] results) {
    this.units = units;
    this.results = results;
  }

  /**
   * Checks a map.
   *
   * @param encoded as {@code precompiled_charsmap} has it
   * @return the same in the one way of writing Base64 that the native library takes; empty for a
   *     map without content
   * @throws IllegalArgumentException if it is damaged, with what is wrong
   */
  static String checked(String encoded) {
    byte[] bytes;
    try {
      bytes = Base64.getDecoder().decode(encoded);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("it is no Base64", e);
    }
    if (bytes.length == 0) {
      return "";
    }
    ByteBuffer content = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long size = bytes.length < Integer.BYTES ? 0 : Integer.toUnsignedLong(content.getInt());
    if (size == 0 || size % Integer.BYTES != 0 || size > content.remaining()) {
      throw new IllegalArgumentException("its trie does not have the size that it says");
    }
    int[] units = new int[(int) size / Integer.BYTES];
    content.asIntBuffer().get(units);
    content.position(content.position() + (int) size);
    byte[] results = new byte[content.remaining()];
    content.get(results);
    new CharacterMap(units, results).check();
    return padded(encoded, bytes);
  }

  /** Java also reads what is not padded, or has stray bits at its end: only that can differ. */
  private static String padded(String encoded, byte[] bytes) {
    int last = (bytes.length - 1) / 3 * 3;
    byte[] end = Arrays.copyOfRange(bytes, last, bytes.length);
    return encoded.substring(0, last / 3 * 4) + Base64.getEncoder().encodeToString(end);
  }

  private void check() {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(results));
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("its results are not UTF-8", e);
    }
    checkChildren(offset(units[0]));
    for (int place = 0; place < units.length; place++) {
      int unit = units[place];
      // Of units that hold results, the first bit is set; no byte leads to them.
      if (unit < 0 || (unit & 0xFF) == 0) {
        continue;
      }
      int children = place ^ offset(unit);
      checkChildren(children);
      if ((unit >>> 8 & 1) != 0) {
        checkResult(units[children] & Integer.MAX_VALUE);
      }
    }
  }

  private static int offset(int unit) {
    return unit >>> 10 << ((unit & 1 << 9) >>> 6);
  }

  /** A child lies where the last eight bits of its place are those of the byte, turned over. */
  private void checkChildren(int place) {
    if (place < 0 || (place | CHILDREN - 1) >= units.length) {
      throw new IllegalArgumentException("its trie leads out of bounds");
    }
  }

  private void checkResult(int position) {
    boolean begins =
        position <= results.length
            && (position == results.length || (results[position] & 0xC0) != 0x80);
    if (!begins) {
      throw new IllegalArgumentException("a character leads to no result");
    }
    int end = position;
    while (end < results.length && results[end] != 0) {
      end++;
      if (end - position > LONGEST_RESULT) {
        throw new IllegalArgumentException(
            "a character becomes more than " + LONGEST_RESULT + " bytes");
      }
    }
  }
}
