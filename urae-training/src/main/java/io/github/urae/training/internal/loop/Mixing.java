package io.github.urae.training.internal.loop;

/**
 * Random numbers without a state: each is a mixture of a seed, a purpose and a number, by
 * SplitMix64's finaliser.
 *
 * @see <a href="https://doi.org/10.1145/2660193.2660195">Steele, Lea and Flood: Fast Splittable
 *     Pseudorandom Number Generators</a>
 */
final class Mixing {

  /** Purpose: the noise of a picture's turn. */
  static final int NOISE = 1;

  /** Purpose: the noise of pictures that are held out. */
  static final int HELD_OUT = 2;

  private static final long GAMMA = 0x9e3779b97f4a7c15L;

  private Mixing() {}

  /** Returns 64 bits. */
  static long of(long seed, int purpose, long number) {
    return mix(mix(mix(seed + GAMMA) + purpose * GAMMA) + number * GAMMA);
  }

  private static long mix(long value) {
    long z = (value ^ value >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }
}
