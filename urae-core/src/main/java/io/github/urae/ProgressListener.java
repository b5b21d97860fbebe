package io.github.urae;

/**
 * Hears how far something long has come. Methods are called on the thread that does the work, so
 * they should return soon; an exception thrown from one ends the work.
 */
public interface ProgressListener {

  /** Hears nothing. */
  ProgressListener NONE = new ProgressListener() {};

  /**
   * Called while weights are read, converted, merged or written; at the start, then at most a few
   * times a second, and at the end.
   *
   * @param progress what is being done and how much of it is done
   */
  default void onTask(TaskProgress progress) {}

  /**
   * Called after each denoising step.
   *
   * @param step the step just done
   */
  default void onStep(StepProgress step) {}
}
