package io.github.urae.image.internal;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * A canonical Huffman code, and how lossless WebP writes one down.
 *
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9649#section-3.7">RFC 9649, 3.7: entropy code</a>
 */
final class PrefixCode {

  private static final int MAX_LENGTH = 15;

  /** Lengths are coded themselves: their own value, one repeated, or zeros. */
  private static final int LENGTH_SYMBOLS = 19;

  private static final int MAX_LENGTH_OF_LENGTHS = 7;
  private static final int REPEAT = 16;
  private static final int FEW_ZEROS = 17;
  private static final int MANY_ZEROS = 18;

  /** In which order the lengths of those symbols stand. */
  private static final int[] ORDER = {
    17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  };

  private static final int MIN_ORDERED = 4;

  private final int[] used;
  private final int[] lengths;

  /** Bits as they are written, the first in the lowest place. */
  private final int[] codes;

  /**
   * Makes the code for symbols.
   *
   * @param counts how often each symbol occurs
   */
  PrefixCode(int[] counts) {
    this(counts, MAX_LENGTH);
  }

  private PrefixCode(int[] counts, int maxLength) {
    used = IntStream.range(0, counts.length).filter(symbol -> counts[symbol] > 0).toArray();
    lengths = lengths(counts, used, maxLength);
    codes = codes(lengths);
  }

  /** Writes a symbol; nothing where there is no other. */
  void put(int symbol, BitSink out) {
    out.add(codes[symbol], lengths[symbol]);
  }

  /** Writes the code itself. */
  void describe(BitSink out) {
    if (used.length == 0) {
      describeFew(new int[1], out);
    } else if (used.length <= 2 && used[used.length - 1] < 256) {
      describeFew(used, out);
    } else {
      describeAll(out);
    }
  }

  private static void describeFew(int[] symbols, BitSink out) {
    out.add(1, 1);
    out.add(symbols.length - 1, 1);
    if (symbols[0] <= 1) {
      out.add(0, 1);
      out.add(symbols[0], 1);
    } else {
      out.add(1, 1);
      out.add(symbols[0], 8);
    }
    if (symbols.length == 2) {
      out.add(symbols[1], 8);
    }
  }

  private void describeAll(BitSink out) {
    int[] counts = new int[LENGTH_SYMBOLS];
    eachLength((symbol, extra, bits) -> counts[symbol]++);
    PrefixCode code = new PrefixCode(counts, MAX_LENGTH_OF_LENGTHS);
    int ordered = LENGTH_SYMBOLS;
    while (ordered > MIN_ORDERED && code.lengths[ORDER[ordered - 1]] == 0) {
      ordered--;
    }
    out.add(0, 1);
    out.add(ordered - MIN_ORDERED, 4);
    for (int i = 0; i < ordered; i++) {
      out.add(code.lengths[ORDER[i]], 3);
    }
    out.add(0, 1); // All symbols' lengths follow.
    eachLength(
        (symbol, extra, bits) -> {
          code.put(symbol, out);
          out.add(extra, bits);
        });
  }

  /** Takes a symbol of the code of lengths, and bits after it. */
  @FunctionalInterface
  private interface LengthSymbols {
    void take(int symbol, int extra, int bits);
  }

  /** Goes over the lengths, equal ones together. */
  private void eachLength(LengthSymbols sink) {
    int at = 0;
    while (at < lengths.length) {
      int length = lengths[at];
      int end = at + 1;
      while (end < lengths.length && lengths[end] == length) {
        end++;
      }
      int left = end - at;
      if (length == 0) {
        zeros(left, sink);
      } else {
        sink.take(length, 0, 0);
        repeats(length, left - 1, sink);
      }
      at = end;
    }
  }

  private static void zeros(int count, LengthSymbols sink) {
    int left = count;
    while (left > 0) {
      if (left < 3) {
        sink.take(0, 0, 0);
        left--;
      } else if (left <= 10) {
        sink.take(FEW_ZEROS, left - 3, 3);
        left = 0;
      } else {
        int now = Math.min(left, 138);
        sink.take(MANY_ZEROS, now - 11, 7);
        left -= now;
      }
    }
  }

  private static void repeats(int length, int count, LengthSymbols sink) {
    int left = count;
    while (left > 0) {
      if (left < 3) {
        sink.take(length, 0, 0);
        left--;
      } else {
        int now = Math.min(left, 6);
        sink.take(REPEAT, now - 3, 2);
        left -= now;
      }
    }
  }

  /** Rare symbols are taken for less rare ones until no code is too long. */
  private static int[] lengths(int[] counts, int[] used, int maxLength) {
    int[] lengths = new int[counts.length];
    if (used.length < 2) {
      return lengths;
    }
    for (long least = 1; ; least *= 2) {
      huffman(counts, used, least, lengths);
      if (Arrays.stream(lengths).max().getAsInt() <= maxLength) {
        return lengths;
      }
    }
  }

  /** Joins the two rarest nodes again and again: leaves by their weight, then what was joined. */
  private static void huffman(int[] counts, int[] used, long least, int[] lengths) {
    int leaves = used.length;
    int[] symbols =
        Arrays.stream(used)
            .mapToObj(Integer::valueOf)
            .sorted((a, b) -> Integer.compare(counts[a], counts[b]))
            .mapToInt(Integer::intValue)
            .toArray();
    int nodes = 2 * leaves - 1;
    long[] weights = new long[nodes];
    int[] parents = new int[nodes];
    for (int i = 0; i < leaves; i++) {
      weights[i] = Math.max(least, counts[symbols[i]]);
    }
    int leaf = 0;
    int joined = leaves;
    for (int node = leaves; node < nodes; node++) {
      for (int child = 0; child < 2; child++) {
        boolean isLeaf = leaf < leaves && (joined == node || weights[leaf] <= weights[joined]);
        int lightest = isLeaf ? leaf++ : joined++;
        weights[node] += weights[lightest];
        parents[lightest] = node;
      }
    }
    int[] depths = new int[nodes];
    for (int node = nodes - 2; node >= 0; node--) {
      depths[node] = depths[parents[node]] + 1;
    }
    for (int i = 0; i < leaves; i++) {
      lengths[symbols[i]] = depths[i];
    }
  }

  /** Short codes come first, equally long ones in the order of their symbols. */
  private static int[] codes(int[] lengths) {
    int[] codes = new int[lengths.length];
    int next = 0;
    for (int length = 1; length <= MAX_LENGTH; length++) {
      next <<= 1;
      for (int symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] == length) {
          codes[symbol] = Integer.reverse(next++) >>> (Integer.SIZE - length);
        }
      }
    }
    return codes;
  }
}
