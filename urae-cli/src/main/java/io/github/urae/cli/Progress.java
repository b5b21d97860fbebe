package io.github.urae.cli;

import io.github.urae.ProgressListener;
import io.github.urae.StepProgress;
import io.github.urae.TaskProgress;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Progress bars with an estimate on standard error: one for each task and one for the denoising
 * steps. There are none where standard error is no terminal.
 */
final class Progress implements ProgressListener, AutoCloseable {

  /** Set by the start script, which alone can tell whether standard error is a terminal. */
  private static final String TERMINAL_PROPERTY = "urae.terminal";

  private static final int REFRESH_MILLIS = 200;

  private final boolean shown;
  private ProgressBar bar;
  private String task;

  private Progress(boolean shown) {
    this.shown = shown;
  }

  static Progress none() {
    return new Progress(false);
  }

  static Progress onTerminal() {
    return new Progress(Boolean.getBoolean(TERMINAL_PROPERTY));
  }

  @Override
  public void onTask(TaskProgress progress) {
    // Kilobytes, which the bar's own unit turns into megabytes and gigabytes where fitting.
    show(progress.task(), " MB", 1 << 20, progress.done(), progress.total());
  }

  @Override
  public void onStep(StepProgress step) {
    show("denoising", " steps", 1, step.step(), step.steps());
  }

  private void show(String newTask, String unit, long unitSize, long done, long total) {
    if (!shown) {
      return;
    }
    if (!newTask.equals(task)) {
      close();
      task = newTask;
      bar =
          new ProgressBarBuilder()
              .setTaskName(newTask)
              .setInitialMax(total)
              .setUnit(unit, unitSize)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(REFRESH_MILLIS)
              .build();
    }
    bar.stepTo(done);
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
      task = null;
    }
  }
}
