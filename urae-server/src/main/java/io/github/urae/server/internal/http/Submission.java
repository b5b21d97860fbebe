package io.github.urae.server.internal.http;

import io.github.urae.flux.GenerationPlan;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.ImagePipeline;
import io.github.urae.server.internal.job.Drawing;
import io.github.urae.server.internal.job.JobQueue;
import io.github.urae.server.internal.job.LiveJob;
import io.github.urae.server.internal.job.QueueFullException;
import io.github.urae.server.internal.job.StoppingException;
import java.io.IOException;
import java.time.Duration;

/** Hands jobs to the queue, and answers for it where it takes none. */
final class Submission {

  /** Whoever stops a server often starts it again. */
  private static final Duration STOPPING = Duration.ofSeconds(5);

  private final ImagePipeline pipeline;
  private final JobQueue queue;

  Submission(ImagePipeline pipeline, JobQueue queue) {
    this.pipeline = pipeline;
    this.queue = queue;
  }

  LiveJob submit(Drawing drawing, boolean attached) throws IOException {
    try {
      return queue.add(drawing, attached);
    } catch (QueueFullException e) {
      throw ApiException.later(
          429,
          "queue_full",
          e.retryAfter(),
          e.getMessage() + "; try again in " + e.retryAfter().toSeconds() + " s");
    } catch (StoppingException e) {
      throw ApiException.later(503, "stopping", STOPPING, e.getMessage());
    }
  }

  GenerationPlan plan(GenerationRequest request) {
    return pipeline.plan(request);
  }
}
