package io.github.urae.training.internal.data;

import java.util.Random;

/**
 * In which order pictures come, and what is drawn for each: functions of seed and position alone.
 * Java's own generator, whose numbers its documentation fixes, so that a run continues anywhere.
 *
 * @param seed any number
 * @param size pictures, at least 1
 */
record DataOrder(long seed, int size) {

  /** Tells the streams of an epoch apart. */
  private static final long ORDER = 1;

  private static final long CAPTIONS = 2;

  /** Returns the pictures' indices in the order of an epoch (Fisher and Yates). */
  int[] permutation(long epoch) {
    Random random = new Random(mixed(mixed(seed + ORDER) + epoch));
    int[] order = new int[size];
    for (int i = 0; i < size; i++) {
      int place = random.nextInt(i + 1);
      order[i] = order[place];
      order[place] = i;
    }
    return order;
  }

  /** Returns a number of [0, 1) that belongs to a position. */
  double captionChoice(DataPosition position) {
    long stream = mixed(mixed(seed + CAPTIONS) + position.epoch());
    return new Random(mixed(stream + position.index())).nextDouble();
  }

  private static long mixed(long value) {
    return SplitMix64.mixed(value + SplitMix64.GAMMA);
  }
}
