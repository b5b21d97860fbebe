package io.github.urae.spring.internal;

import io.github.urae.flux.GenerationRequest;
import java.time.Duration;

/** Is told of generations, on the threads that generate. Thread-safe. */
public interface GenerationObserver {

  /**
   * Hears of a beginning.
   *
   * @param generation stands for it until its end
   * @param request what is to be drawn
   */
  void onBegin(Object generation, GenerationRequest request);

  /**
   * Hears of a denoising step.
   *
   * @param lasted how long it took, with all pictures of its batch
   */
  void onStep(Duration lasted);

  /**
   * Hears of an end.
   *
   * @param generation what began
   * @param outcome how it ended
   * @param waited until its turn came
   * @param lasted from the call on, with the waiting
   */
  void onEnd(Object generation, Outcome outcome, Duration waited, Duration lasted);
}
