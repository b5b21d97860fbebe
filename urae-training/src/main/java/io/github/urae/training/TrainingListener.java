package io.github.urae.training;

import java.nio.file.Path;

/**
 * Hears of a training as it goes, on the thread that trains; so it should return soon. An exception
 * thrown from it ends the training; what was trained until then is saved.
 */
public interface TrainingListener {

  /** Hears nothing. */
  TrainingListener NONE = new TrainingListener() {};

  /**
   * Called after each update.
   *
   * @param step what it was like
   */
  default void onStep(TrainingStep step) {}

  /**
   * Called after pictures that are not trained on were measured.
   *
   * @param step updates so far
   * @param loss their mean loss at fixed noise levels and with fixed noise
   */
  default void onHeldOutLoss(long step, double loss) {}

  /**
   * Called after a checkpoint was written.
   *
   * @param step updates so far
   * @param folder the checkpoint
   */
  default void onCheckpoint(long step, Path folder) {}

  /**
   * Called after a sample was drawn.
   *
   * @param step updates so far
   * @param picture its file
   */
  default void onSample(long step, Path picture) {}
}
