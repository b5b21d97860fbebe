package io.github.urae.server.internal.job;

import io.github.urae.flux.GenerationPlan;
import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * How fast this machine draws, by class of size, since large pictures spend their time otherwise
 * than small ones. Kept from start to start. Thread-safe.
 */
public final class Speed {

  /** Weight of the latest picture beside those before. */
  private static final double LATEST = 0.3;

  private final JobStore store;
  private final Map<Integer, Double> operations;

  Speed(JobStore store) {
    this.store = store;
    this.operations = new ConcurrentHashMap<>(store.speeds());
  }

  /** Notes a time; one at a time, since a class of size has one row. */
  synchronized void measured(GenerationPlan plan, Duration time) {
    double now = plan.flops() / Math.max(1e-3, time.toNanos() / 1e9);
    double next =
        operations.merge(sizeClass(plan), now, (old, latest) -> old + LATEST * (latest - old));
    store.setSpeed(sizeClass(plan), next);
  }

  /**
   * Estimates how long operations take.
   *
   * @param plan of the picture that they belong to
   * @param flops how many
   * @return seconds; empty before the first picture
   */
  public Optional<Double> seconds(GenerationPlan plan, double flops) {
    int wanted = sizeClass(plan);
    return operations.entrySet().stream()
        .min(Comparator.comparingInt(entry -> Math.abs(entry.getKey() - wanted)))
        .map(entry -> flops / entry.getValue());
  }

  private static int sizeClass(GenerationPlan plan) {
    return Long.SIZE - Long.numberOfLeadingZeros(plan.imageTokens());
  }
}
