package io.github.urae;

/** Hears how far something long has come. */
@FunctionalInterface
public interface ProgressListener {

  /** Hears nothing. */
  ProgressListener NONE = progress -> {};

  /**
   * Called when a stage begins, after each of its units (bytes: a few times a second at most), and
   * when it is done, on the thread that does the work; so it should return soon. An exception
   * thrown from it ends the work. A stage may come up several times.
   *
   * @param progress what is being done and how much of it is done
   */
  void onProgress(StageProgress progress);
}
