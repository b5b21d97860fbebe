package io.github.urae.spring.internal;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

/**
 * Ends generations when the application ends: before the web server waits for its requests, which
 * wait for them.
 */
public final class PipelineShutdown implements SmartLifecycle {

  private static final Logger LOG = LoggerFactory.getLogger(PipelineShutdown.class);

  /** Cancelling returns at the next operator at the latest. */
  private static final Duration CANCELLING = Duration.ofSeconds(10);

  private final ServicePipeline pipeline;
  private final Duration grace;
  private volatile boolean running;

  /**
   * Creates the end of a pipeline.
   *
   * @param pipeline draws until then
   * @param grace how long generations may go on
   */
  public PipelineShutdown(ServicePipeline pipeline, Duration grace) {
    this.pipeline = pipeline;
    this.grace = grace;
  }

  @Override
  public void start() {
    pipeline.resume();
    running = true;
  }

  @Override
  public void stop() {
    try {
      if (!pipeline.end(grace, CANCELLING)) {
        LOG.warn("Generations go on that were cancelled: {}", pipeline.state());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      running = false;
    }
  }

  /** Lets other parts of this phase end meanwhile. */
  @Override
  public void stop(Runnable callback) {
    Thread thread =
        new Thread(
            () -> {
              try {
                stop();
              } finally {
                callback.run();
              }
            },
            "urae-shutdown");
    thread.start();
  }

  @Override
  public boolean isRunning() {
    return running;
  }

  /** The first to end: whoever waits for a picture gets its answer while there is a connection. */
  @Override
  public int getPhase() {
    return DEFAULT_PHASE;
  }
}
