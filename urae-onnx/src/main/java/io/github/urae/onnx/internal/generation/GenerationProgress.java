package io.github.urae.onnx.internal.generation;

import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.model.Component;
import io.github.urae.internal.recording.FlightRecording;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.LongSupplier;

/**
 * Tells a listener of the stages of one generation. The time that remains is the operations that
 * the plan still holds for each network, at the rate that the network was measured at, and at the
 * transformer's where it has not run yet; nothing is told before the transformer has. Not
 * thread-safe.
 */
final class GenerationProgress {

  private final ProgressListener listener;
  private final WorkRates rates;
  private final LongSupplier nanoClock;
  private final Map<Component, Double> ahead = new EnumMap<>(Component.class);

  /**
   * Starts with everything ahead.
   *
   * @param plan what the generation takes
   */
  GenerationProgress(
      ProgressListener listener,
      WorkRates rates,
      LongSupplier nanoClock,
      List<GenerationPlan.Phase> plan) {
    this.listener = listener;
    this.rates = rates;
    this.nanoClock = nanoClock;
    plan.forEach(phase -> ahead.merge(phase.component(), phase.flops(), Double::sum));
  }

  /** Returns who is told. */
  ProgressListener listener() {
    return listener;
  }

  /** Begins a stage. */
  Running begin(Stage stage, Component component, long total, StageProgress.Unit unit) {
    return begin(stage, component, 0, total, unit);
  }

  /** Begins a stage of which some units were done before. */
  Running begin(Stage stage, Component component, long done, long total, StageProgress.Unit unit) {
    return new Running(stage, component, done, total, unit);
  }

  private Optional<Duration> remaining() {
    OptionalDouble fallback = rates.nanosPerFlop(Component.TRANSFORMER);
    if (fallback.isEmpty()) {
      return Optional.empty();
    }
    double nanos = 0;
    for (Map.Entry<Component, Double> entry : ahead.entrySet()) {
      double rate = rates.nanosPerFlop(entry.getKey()).orElse(fallback.getAsDouble());
      nanos += entry.getValue() * rate;
    }
    return Optional.of(Duration.ofNanos((long) nanos));
  }

  /** A stage that goes on. */
  final class Running {

    private final Stage stage;
    private final Component component;
    private final long total;
    private final StageProgress.Unit unit;
    private final long start = nanoClock.getAsLong();
    private final FlightRecording.Span recorded;
    private long last = start;
    private long done;

    private Running(
        Stage stage, Component component, long done, long total, StageProgress.Unit unit) {
      this.stage = stage;
      this.component = component;
      this.done = done;
      this.total = total;
      this.unit = unit;
      recorded = FlightRecording.stage(stage, Optional.of(component.id()), total);
      report(start);
    }

    /**
     * Reports one unit as done.
     *
     * @param flops what it took, of what the plan holds for the network
     */
    void advance(double flops) {
      long now = nanoClock.getAsLong();
      rates.add(component, now - last, flops);
      ahead.computeIfPresent(component, (key, before) -> Math.max(0, before - flops));
      last = now;
      done++;
      if (done == total) {
        recorded.end();
      }
      report(now);
    }

    private void report(long now) {
      listener.onProgress(
          new StageProgress(
              stage,
              Optional.of(component.id()),
              done,
              total,
              unit,
              Duration.ofNanos(now - start),
              remaining()));
    }
  }
}
