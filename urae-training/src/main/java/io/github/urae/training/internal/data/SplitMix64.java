package io.github.urae.training.internal.data;

/**
 * Scatters numbers over all 64 bits, so that neighbours become independent seeds.
 *
 * @see <a href="https://doi.org/10.1145/2660193.2660195">Steele, Lea and Flood: Fast Splittable
 *     Pseudorandom Number Generators</a>
 */
public final class SplitMix64 {

  /** What lies between the states of two numbers of a stream; odd, of the golden ratio. */
  public static final long GAMMA = 0x9e3779b97f4a7c15L;

  private SplitMix64() {}

  /**
   * Returns the number of a state.
   *
   * @param state any number; 0 alone stays what it is
   * @return 64 bits
   */
  public static long mixed(long state) {
    long z = (state ^ (state >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
