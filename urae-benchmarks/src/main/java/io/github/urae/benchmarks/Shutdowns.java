package io.github.urae.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;

/**
 * Ends processes that draw, at random moments, half of them by SIGTERM and half by {@code
 * System.exit}: each must end soon and with the status of that, not with a crash.
 *
 * <p>Options: {@code --times} (200), {@code --seed} (random), {@code --within} milliseconds from
 * the start of loading (2500).
 */
public final class Shutdowns {

  private static final String USAGE =
      "usage: ./benchmark shutdown [--times N] [--seed N] [--within MILLISECONDS]";

  private static final int SIGTERM_STATUS = 128 + 15;

  /** A shutdown waits for nothing that takes long at these sizes. */
  private static final int SECONDS_TO_END = 30;

  private Shutdowns() {}

  /**
   * Runs the benchmark.
   *
   * @param arguments as above
   * @throws IOException if a process cannot be started
   * @throws InterruptedException if this thread is interrupted
   */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Arguments given = Arguments.parse(arguments, USAGE);
    int times = given.number("times", 200);
    int seed = given.number("seed", (int) System.nanoTime());
    int within = given.number("within", 2500);
    given.finish();
    System.out.println("seed " + seed);
    SplittableRandom random = new SplittableRandom(seed);
    int failed = 0;
    int[] ended = new int[2];
    List<Double> milliseconds = new ArrayList<>();
    try (TemporaryFolder cache = TemporaryFolder.create()) {
      for (int i = 0; i < times; i++) {
        boolean exits = i % 2 == 1;
        int delay = random.nextInt(within);
        try (JavaProcess load =
            JavaProcess.start(
                cache.path(),
                EndlessLoad.class.getName(),
                List.of(
                    cache.path().toString(),
                    Integer.toString(random.nextInt()),
                    Integer.toString(exits ? delay : -1)))) {
          load.awaitLine(EndlessLoad.WORKING);
          Thread.sleep(delay);
          long told = System.nanoTime();
          if (!exits) {
            load.terminate();
          }
          boolean over = load.waitFor(SECONDS_TO_END, TimeUnit.SECONDS);
          milliseconds.add((System.nanoTime() - told) / 1e6);
          int expected = exits ? EndlessLoad.STATUS : SIGTERM_STATUS;
          if (!over || load.status() != expected) {
            failed++;
            System.out.printf(
                "%s after %d ms: %s, expected status %d; it said:%n%s%n",
                exits ? "System.exit" : "SIGTERM",
                delay,
                over ? "status " + load.status() : "still running",
                expected,
                load.said());
          } else {
            ended[exits ? 1 : 0]++;
          }
        }
      }
    }
    milliseconds.sort(null);
    System.out.printf(
        "%d of %d shutdowns in order (%d by SIGTERM, %d by System.exit), %d crashed or hung;"
            + " time to end: median %.0f ms, longest %.0f ms%n",
        times - failed,
        times,
        ended[0],
        ended[1],
        failed,
        milliseconds.get(milliseconds.size() / 2),
        milliseconds.get(milliseconds.size() - 1));
    if (failed > 0) {
      System.exit(1);
    }
  }
}
