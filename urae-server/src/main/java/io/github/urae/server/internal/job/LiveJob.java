package io.github.urae.server.internal.job;

import io.github.urae.CancellationToken;
import io.github.urae.StageProgress;
import io.github.urae.flux.DenoisingStep;
import io.github.urae.image.RgbImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A job of this process that has not ended, or has just ended. Who draws it tells it what happens;
 * who waits for it asks, at a pace of his own, so that a slow caller keeps nobody up. Thread-safe.
 */
public final class LiveJob {

  /**
   * What can be told of a job at a moment.
   *
   * @param version grows with every change
   * @param status how far it is
   * @param ahead how many jobs are drawn before it; 0 once it is drawn
   * @param stage what is being done; null before and after
   * @param step denoising steps that are done, over all pictures
   * @param steps denoising steps in all; 0 before the first is done
   * @param partials how many partial pictures there are
   * @param previewStep the step that the latest preview is of; 0 for none
   * @param pictures how many pictures there are at the end
   * @param failure why it failed; null unless it did
   */
  public record State(
      long version,
      JobStatus status,
      int ahead,
      StageProgress stage,
      int step,
      int steps,
      int partials,
      int previewStep,
      int pictures,
      JobFailure failure) {}

  /**
   * A picture before it is done.
   *
   * @param image index of the picture among the job's
   * @param number of this one among the partial ones of that picture, from 0
   * @param picture an eighth as wide and high
   */
  public record Partial(int image, int number, RgbImage picture) {}

  private final String id;
  private final Drawing drawing;
  private final boolean attached;
  private final CancellationToken cancellation = new CancellationToken();
  private final List<Partial> partials = new ArrayList<>();
  private State state = new State(0, JobStatus.QUEUED, 0, null, 0, 0, 0, 0, 0, null);
  private List<RgbImage> preview = List.of();
  private volatile boolean cancelledByCaller;
  private int previewFirst;
  private int watchers;

  LiveJob(String id, Drawing drawing, boolean attached) {
    this.id = id;
    this.drawing = drawing;
    this.attached = attached;
  }

  /** Returns the id. */
  public String id() {
    return id;
  }

  /** Returns what is drawn. */
  public Drawing drawing() {
    return drawing;
  }

  boolean isAttached() {
    return attached;
  }

  CancellationToken cancellation() {
    return cancellation;
  }

  /** Ends it for good, also where the server is about to end. */
  void cancelByCaller() {
    cancelledByCaller = true;
    cancellation.cancel();
  }

  boolean isCancelledByCaller() {
    return cancelledByCaller;
  }

  /** Returns what can be told now. */
  public synchronized State state() {
    return state;
  }

  /**
   * Waits for news.
   *
   * @param version of the state that is known
   * @param millis how long
   * @return the state, which may be the one that is known
   */
  public synchronized State await(long version, long millis) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    long left = millis;
    while (state.version == version && left > 0) {
      wait(left);
      left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
    }
    return state;
  }

  /** Returns a partial picture. */
  public synchronized Partial partial(int index) {
    return partials.get(index);
  }

  /** Asks for previews of all steps until the watch is closed. */
  public synchronized Watch watch() {
    watchers++;
    return this::unwatch;
  }

  private synchronized void unwatch() {
    watchers--;
  }

  /** Asks for previews while it is open. */
  @FunctionalInterface
  public interface Watch extends AutoCloseable {
    @Override
    void close();
  }

  /** Returns the latest preview, of the picture that is drawn. */
  public synchronized Optional<Partial> preview() {
    return preview.isEmpty()
        ? Optional.empty()
        : Optional.of(new Partial(previewFirst, state.previewStep, preview.get(0)));
  }

  synchronized void ahead(int jobs) {
    if (state.ahead != jobs) {
      change(with(state.status, jobs, state.stage, state.step, state.steps));
    }
  }

  synchronized void begin() {
    change(with(JobStatus.GENERATING, 0, null, 0, 0));
  }

  synchronized void progress(StageProgress stage) {
    change(with(state.status, 0, stage, state.step, state.steps));
  }

  /** Notes a step, with a preview where somebody wants it. */
  void step(DenoisingStep step) {
    int images = drawing.request().images();
    int each = Math.max(1, step.steps() / images);
    int number = partialNumber(1 + (step.step() - 1) % each, each);
    boolean wanted = number >= 0;
    synchronized (this) {
      wanted |= watchers > 0;
    }
    List<RgbImage> pictures = wanted ? step.previews() : List.of();
    synchronized (this) {
      if (!pictures.isEmpty()) {
        preview = pictures;
        previewFirst = step.firstImage();
        if (number >= 0) {
          for (int i = 0; i < pictures.size(); i++) {
            partials.add(new Partial(step.firstImage() + i, number, pictures.get(i)));
          }
        }
      }
      change(
          new State(
              0,
              state.status,
              0,
              state.stage,
              step.step(),
              step.steps(),
              partials.size(),
              pictures.isEmpty() ? state.previewStep : step.step(),
              0,
              null));
    }
  }

  /** Returns which partial picture a step makes, evenly over the steps; -1 for none. */
  private int partialNumber(int step, int steps) {
    int wanted = drawing.partialPictures();
    for (int i = 1; i <= wanted; i++) {
      if (step < steps && step == Math.max(1, steps * i / (wanted + 1))) {
        return i - 1;
      }
    }
    return -1;
  }

  synchronized void queueAgain() {
    change(with(JobStatus.QUEUED, 0, null, 0, 0));
  }

  synchronized void complete(int pictures) {
    end(JobStatus.COMPLETED, pictures, null);
  }

  synchronized void cancelled() {
    end(JobStatus.CANCELLED, 0, null);
  }

  synchronized void fail(JobFailure failure) {
    end(JobStatus.FAILED, 0, failure);
  }

  private void end(JobStatus status, int pictures, JobFailure failure) {
    change(
        new State(
            0,
            status,
            0,
            null,
            state.step,
            state.steps,
            state.partials,
            state.previewStep,
            pictures,
            failure));
  }

  private State with(JobStatus status, int ahead, StageProgress stage, int step, int steps) {
    return new State(
        0, status, ahead, stage, step, steps, state.partials, state.previewStep, 0, null);
  }

  private void change(State next) {
    state =
        new State(
            state.version + 1,
            next.status,
            next.ahead,
            next.stage,
            next.step,
            next.steps,
            next.partials,
            next.previewStep,
            next.pictures,
            next.failure);
    notifyAll();
  }
}
