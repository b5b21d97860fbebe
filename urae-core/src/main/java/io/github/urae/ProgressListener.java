package io.github.urae;

/**
 * Hears how far something long has come. Called on the thread that does the work, so it should
 * return soon; an exception thrown from it ends the work.
 */
public interface ProgressListener {

  /** Hears nothing. */
  ProgressListener NONE = new ProgressListener() {};

  /**
   * Called when a stage begins, after each of its units (bytes: a few times a second at most), and
   * when it is done. A stage may come up several times.
   *
   * @param progress what is being done and how much of it is done
   */
  default void onProgress(StageProgress progress) {}

  /**
   * Called after each denoising step.
   *
   * @param step the step just done
   */
  default void onStep(StepProgress step) {}
}
