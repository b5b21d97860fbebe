package io.github.urae.training.internal.loop;

import io.github.urae.training.internal.data.SplitMix64;

/** Random numbers without a state: each is mixed of a seed, a purpose and a number. */
final class Mixing {

  /** Purpose: the noise of a picture's turn. */
  static final int NOISE = 1;

  /** Purpose: the noise of pictures that are held out. */
  static final int HELD_OUT = 2;

  private Mixing() {}

  /** Returns 64 bits. */
  static long of(long seed, int purpose, long number) {
    long ofSeed = SplitMix64.mixed(seed + SplitMix64.GAMMA);
    long ofPurpose = SplitMix64.mixed(ofSeed + purpose * SplitMix64.GAMMA);
    return SplitMix64.mixed(ofPurpose + number * SplitMix64.GAMMA);
  }
}
