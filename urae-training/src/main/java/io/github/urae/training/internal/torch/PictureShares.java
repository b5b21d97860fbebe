package io.github.urae.training.internal.torch;

import io.github.urae.training.internal.engine.StepInputs;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Which pictures are computed by which worker, and which of these at once: a function of the
 * pictures' sizes and the number of workers alone, since the order of a sum decides its last bits.
 *
 * @param workers for each of them groups of pictures of one size, which are computed at once, as
 *     indices; no worker without any
 */
record PictureShares(List<List<List<Integer>>> workers) {

  /** Divides pictures, the largest first, each to whom has the least to do. */
  static PictureShares of(List<StepInputs> pictures, int most) {
    List<Integer> largestFirst =
        IntStream.range(0, pictures.size())
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -cost(pictures.get(i))))
            .toList();
    int count = Math.min(most, pictures.size());
    double[] costs = new double[count];
    List<List<List<Integer>>> shares = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      shares.add(new ArrayList<>());
    }
    for (int index : largestFirst) {
      int least = 0;
      for (int i = 1; i < count; i++) {
        least = costs[i] < costs[least] ? i : least;
      }
      costs[least] += cost(pictures.get(index));
      groupOf(pictures, index, shares.get(least)).add(index);
    }
    return new PictureShares(shares);
  }

  private static List<Integer> groupOf(
      List<StepInputs> pictures, int index, List<List<Integer>> groups) {
    for (List<Integer> group : groups) {
      if (pictures.get(group.get(0)).isComputedWith(pictures.get(index))) {
        return group;
      }
    }
    List<Integer> group = new ArrayList<>();
    groups.add(group);
    return group;
  }

  /**
   * Linear layers cost as their tokens; attention, with their square, as much at some thousands.
   */
  private static double cost(StepInputs picture) {
    double tokens = picture.tokens();
    return tokens * (1 + tokens / 4096);
  }
}
