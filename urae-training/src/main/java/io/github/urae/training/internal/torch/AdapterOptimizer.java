package io.github.urae.training.internal.torch;

import io.github.urae.tensor.Tensor;
import io.github.urae.training.internal.engine.OptimizerSettings;
import java.util.Map;
import java.util.OptionalDouble;

/** Changes parameters by their accumulated gradients. Owns its state. */
sealed interface AdapterOptimizer extends AutoCloseable permits AdamWOptimizer, ProdigyOptimizer {

  /**
   * Creates an optimizer that knows nothing yet.
   *
   * @param parameters not closed
   */
  static AdapterOptimizer of(OptimizerSettings settings, AdapterParameters parameters) {
    return settings instanceof OptimizerSettings.AdamW adamW
        ? new AdamWOptimizer(adamW, parameters)
        : new ProdigyOptimizer((OptimizerSettings.Prodigy) settings, parameters);
  }

  /** Makes an update. */
  void update(double learningRate);

  /** Returns how many updates were made. */
  long updates();

  /** Returns Prodigy's d. */
  OptionalDouble stepSize();

  /** Returns a copy of the state. */
  Map<String, Tensor> state();

  /**
   * Makes sure that a state may be put.
   *
   * @throws io.github.urae.AdapterException if it is another optimizer's, or of other parameters
   */
  void check(Map<String, Tensor> saved);

  /** Puts a state that was checked; an empty one starts anew from the present parameters. */
  void put(Map<String, Tensor> saved);

  @Override
  void close();
}
