package io.github.urae.cli;

import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.Timer;
import java.util.TimerTask;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * Progress bars on standard error: one for each stage that lasts longer than a second, with the
 * time since it began and the time to the end of the whole work, or of the stage where that alone
 * can be told. There are none where standard error is no terminal.
 */
public final class Progress implements ProgressListener, AutoCloseable {

  /** Set by the start script, which alone can tell whether standard error is a terminal. */
  private static final String TERMINAL_PROPERTY = "urae.terminal";

  private static final int REFRESH_MILLIS = 200;

  /** What is done sooner is not shown. */
  private static final int PATIENCE_MILLIS = 1000;

  private final boolean shown;
  private final Timer timer;
  private StageProgress latest;
  private ProgressBar bar;

  /** Read by the bar's own thread, which must not wait for this object. */
  private volatile Report report;

  /** What was told, and when. */
  private record Report(StageProgress progress, long nanoTime) {}

  private Progress(boolean shown) {
    this.shown = shown;
    this.timer = shown ? new Timer("progress", true) : null;
  }

  static Progress none() {
    return new Progress(false);
  }

  static Progress onTerminal() {
    return new Progress(Boolean.getBoolean(TERMINAL_PROPERTY));
  }

  @Override
  public synchronized void onProgress(StageProgress progress) {
    if (!shown) {
      return;
    }
    report = new Report(progress, System.nanoTime());
    if (latest == null || !describe(progress).equals(describe(latest))) {
      closeBar();
      latest = progress;
      showLater(progress);
    } else {
      latest = progress;
    }
    if (bar != null) {
      show();
    }
    if (progress.isComplete()) {
      closeBar();
      latest = null;
    }
  }

  /** Tells of pictures that are written, by the command itself. */
  void saving(int done, int total) {
    onProgress(
        new StageProgress(
            Stage.SAVING,
            Optional.empty(),
            done,
            total,
            StageProgress.Unit.IMAGES,
            Duration.ZERO,
            Optional.empty()));
  }

  private void showLater(StageProgress begun) {
    String stage = describe(begun);
    timer.schedule(
        new TimerTask() {
          @Override
          public void run() {
            synchronized (Progress.this) {
              if (bar == null && latest != null && describe(latest).equals(stage)) {
                show();
              }
            }
          }
        },
        PATIENCE_MILLIS);
  }

  private void show() {
    if (bar == null) {
      boolean bytes = latest.unit() == StageProgress.Unit.BYTES;
      bar =
          new ProgressBarBuilder()
              .setTaskName(describe(latest))
              // A stage of one unit tells nothing between its beginning and its end.
              .setInitialMax(latest.total() == 1 ? -1 : latest.total())
              .setUnit(bytes ? " MB" : " " + name(latest.unit()), bytes ? 1 << 20 : 1)
              .startsFrom(0, latest.elapsed())
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(REFRESH_MILLIS)
              .setEtaFunction(state -> remaining())
              .build();
    }
    bar.stepTo(latest.done());
  }

  private Optional<Duration> remaining() {
    Report last = report;
    return remaining(last.progress(), Duration.ofNanos(System.nanoTime() - last.nanoTime()));
  }

  /**
   * Estimates the time to the end of the work where that is told, else of the stage.
   *
   * @param since time since that report
   */
  static Optional<Duration> remaining(StageProgress last, Duration since) {
    Optional<Duration> told =
        last.remaining().isPresent() ? last.remaining() : ofStage(last.elapsed(), last);
    return told.map(left -> left.compareTo(since) > 0 ? left.minus(since) : Duration.ZERO);
  }

  private static Optional<Duration> ofStage(Duration elapsed, StageProgress last) {
    if (last.done() == 0 || last.total() == 1) {
      return Optional.empty();
    }
    double each = (double) elapsed.toNanos() / last.done();
    return Optional.of(Duration.ofNanos((long) (each * (last.total() - last.done()))));
  }

  private static String describe(StageProgress progress) {
    String stage = name(progress.stage());
    return progress.component().map(component -> stage + " " + component).orElse(stage);
  }

  private static String name(Enum<?> id) {
    return id.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private void closeBar() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
  }

  @Override
  public synchronized void close() {
    closeBar();
    latest = null;
    if (timer != null) {
      timer.cancel();
    }
  }
}
