package io.github.urae.training.internal.loop;

import io.github.urae.CancellationToken;
import io.github.urae.GenerationCancelledException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a process that is told to end wait until its training has saved: it is cancelled, ends at
 * the next block of its step, and saves. A block of FLUX.1 over 66,048 tokens takes minutes on a
 * processor: the wait has an end. Closed when the training is over, by the thread that trains.
 */
public final class EndingProcess implements AutoCloseable {

  /** How long the process waits. */
  public static final Duration PATIENCE = Duration.ofMinutes(2);

  private static final Logger LOG = LoggerFactory.getLogger(EndingProcess.class);

  /** How often the training thread is looked at. */
  private static final long LOOK_MILLIS = 20;

  private final CancellationToken cancellation;
  private final Thread training = Thread.currentThread();
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread hook = new Thread(this::awaitTraining, "urae-training-end");

  /**
   * Begins, on the thread that trains.
   *
   * @param cancellation ends the training
   * @throws GenerationCancelledException if the process ends already
   */
  public EndingProcess(CancellationToken cancellation) {
    this.cancellation = cancellation;
    try {
      Runtime.getRuntime().addShutdownHook(hook);
    } catch (IllegalStateException e) {
      throw new GenerationCancelledException("cancelled: the process ends", e);
    }
  }

  private void awaitTraining() {
    cancellation.cancel();
    long last = System.nanoTime() + PATIENCE.toNanos();
    try {
      while (!over.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
        if (endsTheProcess()) {
          return; // A listener has told it to end: it would wait for itself.
        }
        if (System.nanoTime() - last > 0) {
          LOG.warn("A training has not saved in {} and ends with its process", PATIENCE);
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean endsTheProcess() {
    return Arrays.stream(training.getStackTrace())
        .anyMatch(
            frame ->
                frame.getClassName().equals(Runtime.class.getName())
                    && frame.getMethodName().equals("exit"));
  }

  @Override
  public void close() {
    over.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      LOG.debug("The process is ending", e);
    }
  }
}
