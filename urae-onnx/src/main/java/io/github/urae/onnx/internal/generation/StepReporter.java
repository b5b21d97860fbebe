package io.github.urae.onnx.internal.generation;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.StepProgress;
import io.github.urae.flux.arithmetic.Schedule;
import io.github.urae.image.RgbImage;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/** Tells a listener of every step of a generation, over all its batches and passes. */
final class StepReporter {

  private final ProgressListener listener;
  private final CancellationToken cancellation;
  private final int width;
  private final long start = System.nanoTime();
  private int steps;
  private double work;
  private int stepsDone;
  private double workDone;

  /** Starts the clock. The transformer's width tells what a step costs. */
  StepReporter(ProgressListener listener, CancellationToken cancellation, int width) {
    this.listener = listener;
    this.cancellation = cancellation;
    this.width = width;
  }

  /** Announces steps before the first is done. */
  void expect(int count, long tokens) {
    steps += count;
    work += count * work(tokens);
  }

  /** Reports a step of a schedule. */
  void done(Schedule schedule, int step, long tokens, Supplier<List<RgbImage>> preview) {
    stepsDone++;
    workDone += work(tokens);
    listener.onStep(
        new StepProgress(
            stepsDone,
            steps,
            schedule.sigma(step),
            schedule.sigma(step + 1),
            stepsDone == steps ? 1 : workDone / work,
            Duration.ofNanos(System.nanoTime() - start),
            preview,
            cancellation));
  }

  /**
   * Returns a block's work at a step, up to a factor: 24 width^2 operations a token in its linear
   * layers, 4 width a pair of tokens in attention.
   */
  private double work(long tokens) {
    return (double) tokens * (6.0 * width + tokens);
  }
}
