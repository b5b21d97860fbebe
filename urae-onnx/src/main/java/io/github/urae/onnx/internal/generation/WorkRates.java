package io.github.urae.onnx.internal.generation;

import io.github.urae.flux.model.Component;
import java.util.EnumMap;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * How fast each network works, measured: the last runs count most, since the first ones read
 * weights from disk. Kept from one generation to the next. Thread-safe.
 */
public final class WorkRates {

  /** What is left of the weight of earlier measurements at each new one. */
  private static final double KEPT = 0.8;

  private record Measured(double nanos, double flops) {}

  private final Map<Component, Measured> measured = new EnumMap<>(Component.class);

  /** Adds a measurement: how long some floating-point operations took. */
  synchronized void add(Component component, long nanos, double flops) {
    Measured before = measured.getOrDefault(component, new Measured(0, 0));
    measured.put(component, new Measured(KEPT * before.nanos + nanos, KEPT * before.flops + flops));
  }

  /** Returns nanoseconds an operation; empty before the first measurement. */
  synchronized OptionalDouble nanosPerFlop(Component component) {
    Measured sum = measured.get(component);
    return sum == null || sum.flops == 0
        ? OptionalDouble.empty()
        : OptionalDouble.of(sum.nanos / sum.flops);
  }
}
