package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.StageProgress;
import io.github.urae.server.internal.job.Drawing;
import io.github.urae.server.internal.job.Job;
import io.github.urae.server.internal.job.JobKind;
import io.github.urae.server.internal.job.JobStatus;
import io.github.urae.server.internal.job.LiveJob;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;

/** Jobs as callers see them. */
final class JobJson {

  private JobJson() {}

  /**
   * Describes a job.
   *
   * @param job as the database has it
   * @param live what this process knows of it, if it has not ended
   */
  static ObjectNode of(Job job, Optional<LiveJob> live) {
    Drawing drawing = job.settings();
    LiveJob.State state = live.map(LiveJob::state).orElse(null);
    // An end since the database was asked is told next time, when its pictures or error are known.
    boolean fresh = state != null && !state.status().isFinal() && !job.status().isFinal();
    JobStatus status = fresh ? state.status() : job.status();
    ObjectNode json =
        Json.object()
            .put("id", job.id())
            .put("object", "job")
            .put("kind", job.kind().id())
            .put("status", status.id())
            .put("number", job.number());
    json.put("created", job.created().getEpochSecond());
    putTime(json, "started", job.started());
    putTime(json, "completed", job.completed());
    if (status == JobStatus.QUEUED && state != null) {
      json.put("queue_position", state.ahead());
    } else {
      json.putNull("queue_position");
    }
    json.set("progress", state == null ? null : progress(state));
    json.set("settings", SettingsJson.of(drawing));
    if (job.kind() == JobKind.EDIT) {
      json.put("start_picture", "/v1/pictures/" + job.id() + "/start.png");
    }
    json.set("result", result(job, drawing));
    json.set(
        "error",
        job.failure()
            .<JsonNode>map(failure -> ErrorAnswers.body(ApiException.of(failure)).get("error"))
            .orElse(null));
    return json;
  }

  private static void putTime(ObjectNode json, String name, Optional<Instant> time) {
    json.put(name, time.map(Instant::getEpochSecond).orElse(null));
  }

  /** Describes how far a job is that has not ended. */
  static ObjectNode progress(LiveJob.State state) {
    ObjectNode json = Json.object().put("step", state.step()).put("steps", state.steps());
    StageProgress stage = state.stage();
    if (stage != null) {
      json.put("stage", stage.stage().id())
          .put("component", stage.component().orElse(null))
          .put("done", stage.done())
          .put("total", stage.total())
          .put("unit", stage.unit().name().toLowerCase(Locale.ROOT))
          .put("elapsed_seconds", stage.elapsed().toMillis() / 1e3);
      stage.remaining().ifPresent(r -> json.put("remaining_seconds", r.toMillis() / 1e3));
    }
    return json;
  }

  private static ObjectNode result(Job job, Drawing drawing) {
    if (job.status() != JobStatus.COMPLETED) {
      return null;
    }
    ObjectNode json = Json.object();
    ArrayNode pictures = json.putArray("pictures");
    for (int i = 0; i < job.pictures(); i++) {
      String path = Links.path(job.id(), i, drawing.type());
      String base = "/v1/pictures/" + job.id() + "/" + i;
      pictures
          .addObject()
          .put("url", path)
          .put("thumbnail", base + "/small.jpg")
          .put("tiles", base + "/tiles.dzi");
    }
    return json;
  }
}
