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

  /** Characters of Base64, or units, that are looked at in one call. */
  private static final int PIECE = 128;

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
   * @param encoded as {@code precompiled_charsmap} has it, in ASCII
   * @return the same in the one way of writing Base64 that the native library takes; empty for a
   *     map without content
   * @throws IllegalArgumentException if it is damaged, with what is wrong
   */
  static byte[] checked(byte[] encoded) {
    byte[] bytes;
    try {
      bytes = decoded(encoded);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("it is no Base64", e);
    }
    if (bytes.length == 0) {
      return new byte[0];
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

  /**
   * Decodes piece by piece: what is called often is soon compiled, while one long call would be
   * interpreted almost to its end.
   */
  private static byte[] decoded(byte[] encoded) {
    Base64.Decoder decoder = Base64.getDecoder();
    byte[] bytes = new byte[(encoded.length + 3) / 4 * 3];
    int length = 0;
    for (int from = 0; from < encoded.length; from += PIECE) {
      int to = Math.min(encoded.length, from + PIECE);
      byte[] piece = decoder.decode(Arrays.copyOfRange(encoded, from, to));
      if (to < encoded.length && piece.length < PIECE / 4 * 3) {
        throw new IllegalArgumentException("padding in the middle");
      }
      System.arraycopy(piece, 0, bytes, length, piece.length);
      length += piece.length;
    }
    return Arrays.copyOf(bytes, length);
  }

  /** Java also reads what is not padded, or has stray bits at its end: only that can differ. */
  private static byte[] padded(byte[] encoded, byte[] bytes) {
    int last = (bytes.length - 1) / 3 * 3;
    byte[] end = Base64.getEncoder().encode(Arrays.copyOfRange(bytes, last, bytes.length));
    byte[] padded = Arrays.copyOf(encoded, last / 3 * 4 + end.length);
    System.arraycopy(end, 0, padded, last / 3 * 4, end.length);
    return padded;
  }

  private void check() {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(results));
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("its results are not UTF-8", e);
    }
    checkChildren(offset(units[0]));
    for (int first = 0; first < units.length; first += PIECE) {
      checkUnits(first, Math.min(units.length, first + PIECE));
    }
  }

  private void checkUnits(int first, int end) {
    for (int place = first; place < end; place++) {
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
