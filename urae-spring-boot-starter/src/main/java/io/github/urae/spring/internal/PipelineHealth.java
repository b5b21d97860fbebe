package io.github.urae.spring.internal;

import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;

/** Tells whether a pipeline draws. Draws nothing itself. */
public final class PipelineHealth extends AbstractHealthIndicator {

  /** One failure may be one large request's; as many in a row are the pipeline's. */
  private static final int FAILURES = 3;

  private final ServicePipeline pipeline;

  /**
   * Creates the indicator.
   *
   * @param pipeline is asked
   */
  public PipelineHealth(ServicePipeline pipeline) {
    super("the pipeline cannot be asked");
    this.pipeline = pipeline;
  }

  @Override
  protected void doHealthCheck(Health.Builder builder) {
    ServicePipeline.State state = pipeline.state();
    if (state.ended()) {
      builder.outOfService();
    } else if (state.failuresInARow() >= FAILURES) {
      builder.down();
    } else {
      builder.up();
    }
    builder
        .withDetail("model", pipeline.model().name())
        .withDetail("running", state.running())
        .withDetail("waiting", state.waiting());
    if (state.failuresInARow() > 0) {
      builder
          .withDetail("failuresInARow", state.failuresInARow())
          .withDetail("lastFailure", state.lastFailure());
    }
  }
}
