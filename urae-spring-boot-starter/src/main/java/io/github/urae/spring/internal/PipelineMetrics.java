package io.github.urae.spring.internal;

import io.github.urae.flux.GenerationRequest;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Counts and times what a pipeline does. Thread-safe. */
public final class PipelineMetrics implements GenerationObserver {

  private final ServicePipeline pipeline;
  private final Map<Outcome, Timer> generations = new EnumMap<>(Outcome.class);
  private final Timer waiting;
  private final Timer steps;

  /** Expected peak of memory of each generation that goes on or waits, in bytes. */
  private final Map<Object, Long> memory = new ConcurrentHashMap<>();

  /**
   * Begins to measure.
   *
   * @param pipeline tells
   * @param registry takes the figures
   */
  public PipelineMetrics(ServicePipeline pipeline, MeterRegistry registry) {
    this.pipeline = pipeline;
    for (Outcome outcome : Outcome.values()) {
      generations.put(
          outcome,
          Timer.builder("urae.generation")
              .description("Generations, from the call to the pictures, with the waiting")
              .tag("outcome", outcome.tag())
              .register(registry));
    }
    waiting =
        Timer.builder("urae.generation.waiting")
            .description("What of that was waiting for a turn")
            .register(registry);
    steps = Timer.builder("urae.step").description("Denoising steps").register(registry);
    Gauge.builder("urae.generations.running", pipeline, p -> p.state().running())
        .description("Generations that go on")
        .register(registry);
    Gauge.builder("urae.generations.waiting", pipeline, p -> p.state().waiting())
        .description("Generations that wait for their turn")
        .register(registry);
    Gauge.builder("urae.memory.largest", memory, PipelineMetrics::largest)
        .description("Memory that the largest of the generations is expected to take")
        .baseUnit("bytes")
        .register(registry);
    pipeline.observe(this);
  }

  private static double largest(Map<Object, Long> memory) {
    return memory.values().stream().mapToLong(Long::longValue).max().orElse(0);
  }

  @Override
  public void onBegin(Object generation, GenerationRequest request) {
    memory.put(generation, pipeline.plan(request).peakBytes());
  }

  @Override
  public void onStep(Duration lasted) {
    steps.record(lasted);
  }

  @Override
  public void onEnd(Object generation, Outcome outcome, Duration waited, Duration lasted) {
    memory.remove(generation);
    waiting.record(waited);
    generations.get(outcome).record(lasted);
  }
}
