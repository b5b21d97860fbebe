package io.github.urae.spring.internal;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import io.github.urae.InferenceException;
import io.github.urae.InvalidRequestException;
import io.github.urae.ProgressListener;
import io.github.urae.Stage;
import io.github.urae.StageProgress;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.flux.RunOptions;
import io.github.urae.flux.model.ModelInfo;
import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/**
 * A pipeline of which is known what goes on in it, and which can be ended while it draws.
 * Thread-safe.
 */
public final class ServicePipeline implements ImagePipeline {

  private final ImagePipeline pipeline;
  private final List<GenerationObserver> observers = new CopyOnWriteArrayList<>();

  /** Guards all that follows. */
  private final Object lock = new Object();

  private final Set<Call> calls = new HashSet<>();
  private boolean ended;
  private int failuresInARow;
  private String lastFailure;

  /**
   * Takes a pipeline.
   *
   * @param pipeline draws; closed with this one
   */
  public ServicePipeline(ImagePipeline pipeline) {
    this.pipeline = pipeline;
  }

  /** One generation, from the call to its end. */
  private final class Call implements ProgressListener {

    private final ProgressListener told;
    private final CancellationToken cancellation = new CancellationToken();
    private final long begun = System.nanoTime();
    private long began = begun;

    /** Guarded by the pipeline's lock. */
    private boolean waiting;

    private long stepBegun;
    private long steps;

    Call(ProgressListener told) {
      this.told = told;
    }

    @Override
    public void onProgress(StageProgress progress) {
      boolean waits = progress.stage() == Stage.WAITING && !progress.isComplete();
      synchronized (lock) {
        if (waiting && !waits) {
          began = System.nanoTime();
        }
        waiting = waits;
      }
      if (progress.stage() == Stage.DENOISING) {
        step(progress.done());
      }
      told.onProgress(progress);
    }

    private void step(long done) {
      long now = System.nanoTime();
      if (done > steps && stepBegun != 0) {
        Duration each = Duration.ofNanos((now - stepBegun) / (done - steps));
        observers.forEach(observer -> observer.onStep(each));
      }
      stepBegun = now;
      steps = done;
    }

    Duration waited() {
      synchronized (lock) {
        return waiting ? lasted() : Duration.ofNanos(began - begun);
      }
    }

    Duration lasted() {
      return Duration.ofNanos(System.nanoTime() - begun);
    }
  }

  /**
   * Adds somebody who is told of all generations from now on.
   *
   * @param observer called on the threads that generate
   */
  public void observe(GenerationObserver observer) {
    observers.add(observer);
  }

  @Override
  public List<GeneratedImage> generate(GenerationRequest request, RunOptions options) {
    Call call = begin(options);
    Outcome outcome = Outcome.FAILED;
    CancellationToken given = options.cancellation().orElseGet(CancellationToken::new);
    CancellationToken.Registration linked = given.onCancel(call.cancellation::cancel);
    try {
      observers.forEach(observer -> observer.onBegin(call, request));
      List<GeneratedImage> images =
          pipeline.generate(
              request, options.toBuilder().listener(call).cancellation(call.cancellation).build());
      outcome = Outcome.DRAWN;
      succeeded();
      return images;
    } catch (GenerationCancelledException e) {
      outcome = Outcome.CANCELLED;
      throw e;
    } catch (InvalidRequestException e) {
      outcome = Outcome.REFUSED;
      throw e;
    } catch (RuntimeException | Error e) {
      if (!isRequests(e)) {
        failed(e);
      }
      throw e;
    } finally {
      linked.close();
      Outcome found = outcome;
      observers.forEach(observer -> observer.onEnd(call, found, call.waited(), call.lasted()));
      end(call);
    }
  }

  private Call begin(RunOptions options) {
    synchronized (lock) {
      if (ended) {
        throw new IllegalStateException(
            "the application is being ended: nothing is drawn any more");
      }
      Call call = new Call(options.listener());
      calls.add(call);
      return call;
    }
  }

  private void end(Call call) {
    synchronized (lock) {
      calls.remove(call);
      lock.notifyAll();
    }
  }

  private void succeeded() {
    synchronized (lock) {
      failuresInARow = 0;
    }
  }

  /** Results that are not finite have no cause, and come of a scale that was asked for. */
  private static boolean isRequests(Throwable failure) {
    return failure instanceof InferenceException && failure.getCause() == null;
  }

  private void failed(Throwable failure) {
    synchronized (lock) {
      failuresInARow++;
      lastFailure = String.valueOf(failure.getMessage());
    }
  }

  /**
   * Returns how things stand.
   *
   * @return at this moment
   */
  public State state() {
    synchronized (lock) {
      int waiting = (int) calls.stream().filter(call -> call.waiting).count();
      return new State(calls.size() - waiting, waiting, failuresInARow, lastFailure, ended);
    }
  }

  /**
   * How things stand.
   *
   * @param running generations that go on
   * @param waiting generations that wait for their turn
   * @param failuresInARow generations that failed since the last one that was drawn, by no fault of
   *     their requests
   * @param lastFailure the message of the last of these; null if none failed
   * @param ended whether nothing is drawn any more
   */
  public record State(
      int running, int waiting, int failuresInARow, String lastFailure, boolean ended) {}

  /**
   * Draws nothing any more: refuses new generations, lets those that go on go on for a while, and
   * cancels what is left.
   *
   * @param grace how long they may go on
   * @param cancelling how long what is cancelled is waited for
   * @return whether nothing goes on any more
   * @throws InterruptedException if the thread is interrupted
   */
  public boolean end(Duration grace, Duration cancelling) throws InterruptedException {
    synchronized (lock) {
      ended = true;
    }
    if (awaitNone(grace)) {
      return true;
    }
    List<Call> left;
    synchronized (lock) {
      left = List.copyOf(calls);
    }
    // Without the lock, which what is cancelled may want.
    left.forEach(call -> call.cancellation.cancel());
    return awaitNone(cancelling);
  }

  /** Draws again where it was ended: an application that was stopped may be started again. */
  public void resume() {
    synchronized (lock) {
      ended = false;
    }
  }

  private boolean awaitNone(Duration most) throws InterruptedException {
    long end = System.nanoTime() + most.toNanos();
    synchronized (lock) {
      while (!calls.isEmpty()) {
        long left = end - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        TimeUnit.NANOSECONDS.timedWait(lock, left);
      }
      return true;
    }
  }

  @Override
  public GenerationPlan plan(GenerationRequest request) {
    return pipeline.plan(request);
  }

  @Override
  public ModelInfo model() {
    return pipeline.model();
  }

  @Override
  public void close() throws IOException {
    pipeline.close();
  }
}
