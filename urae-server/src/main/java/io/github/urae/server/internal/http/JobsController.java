package io.github.urae.server.internal.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.github.urae.image.ImageFormat;
import io.github.urae.server.internal.job.Job;
import io.github.urae.server.internal.job.JobQueue;
import io.github.urae.server.internal.job.JobStatus;
import io.github.urae.server.internal.job.JobStore;
import io.github.urae.server.internal.job.LiveJob;
import io.github.urae.server.internal.picture.PictureType;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.springframework.http.HttpHeaders;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/** Jobs that go on whether or not somebody waits. */
@RestController
final class JobsController {

  static final String ID = "{id:[0-9a-f]{32}}";

  private static final int MAX_LISTED = 100;
  private static final int PROBE_MILLIS = 500;

  /** A comment so often keeps proxies from closing a connection on which nothing happens. */
  private static final int SILENCE_MILLIS = 10_000;

  private final Bodies bodies;
  private final OrderReader reader;
  private final Submission submission;
  private final JobQueue queue;
  private final JobStore store;
  private final Links links;
  private final Followers followers;

  JobsController(
      Bodies bodies,
      OrderReader reader,
      Submission submission,
      JobQueue queue,
      JobStore store,
      Links links,
      Followers followers) {
    this.bodies = bodies;
    this.reader = reader;
    this.submission = submission;
    this.queue = queue;
    this.store = store;
    this.links = links;
    this.followers = followers;
  }

  @PostMapping("/v1/jobs")
  ResponseEntity<byte[]> submit(HttpServletRequest request) throws IOException {
    LiveJob job =
        Bodies.isForm(request)
            ? bodies.form(request, parts -> submit(reader.edit(parts)))
            : submit(reader.generation(bodies.json(request)));
    return ResponseEntity.status(202)
        .contentType(MediaType.APPLICATION_JSON)
        .header(HttpHeaders.LOCATION, "/v1/jobs/" + job.id())
        .body(Json.bytes(describe(find(job.id()))));
  }

  private LiveJob submit(Order order) throws IOException {
    if (order.streamed()) {
      throw ApiException.invalid("stream", "stream: a job tells at /v1/jobs/ID/events");
    }
    return submission.submit(order.drawing(), false);
  }

  @GetMapping("/v1/jobs")
  ResponseEntity<byte[]> list(
      @RequestParam(name = "limit", defaultValue = "20") int limit,
      @RequestParam(name = "before", defaultValue = "" + Long.MAX_VALUE) long before) {
    if (limit < 1 || limit > MAX_LISTED) {
      throw ApiException.invalid(
          "limit", "limit: expected 1 to " + MAX_LISTED + ", found " + limit);
    }
    List<Job> jobs = store.newest(limit + 1, before);
    ObjectNode list = Json.object().put("object", "list");
    ArrayNode data = list.putArray("data");
    jobs.stream().limit(limit).forEach(job -> data.add(describe(job)));
    list.put("has_more", jobs.size() > limit);
    return Json.answer(list);
  }

  @GetMapping("/v1/jobs/" + ID)
  ResponseEntity<byte[]> status(@PathVariable("id") String id) {
    return Json.answer(describe(find(id)));
  }

  /** Answers as OpenAI's API would, with links. */
  @GetMapping("/v1/jobs/" + ID + "/result")
  ResponseEntity<byte[]> result(@PathVariable("id") String id, HttpServletRequest request) {
    Job job = find(id);
    if (job.failure().isPresent()) {
      throw ApiException.of(job.failure().get());
    }
    if (job.status() != JobStatus.COMPLETED) {
      throw ApiException.of(
          409, "not_completed", "the job is " + job.status().id() + ", it has no result");
    }
    PictureType type = job.settings().type();
    ObjectNode result = Json.object().put("created", job.created().getEpochSecond());
    ArrayNode data = result.putArray("data");
    for (int i = 0; i < job.pictures(); i++) {
      data.addObject().put("url", links.absolute(request, id, i, type));
    }
    result.set("settings", SettingsJson.of(job.settings()));
    return Json.answer(result.put("output_format", type.id()));
  }

  /** Ends a job; one that has ended stays as it is. */
  @PostMapping("/v1/jobs/" + ID + "/cancel")
  ResponseEntity<byte[]> cancel(@PathVariable("id") String id) throws InterruptedException {
    find(id);
    Optional<LiveJob> live = queue.live(id);
    if (queue.cancel(id) && live.isPresent()) {
      awaitEnd(live.get());
    }
    return Json.answer(describe(find(id)));
  }

  /** Drawing ends at its next operator, which takes a moment. */
  private static void awaitEnd(LiveJob job) throws InterruptedException {
    LiveJob.State state = job.state();
    for (int i = 0; i < 10 && !state.status().isFinal(); i++) {
      state = job.await(state.version(), PROBE_MILLIS);
    }
  }

  @DeleteMapping("/v1/jobs/" + ID)
  ResponseEntity<byte[]> remove(@PathVariable("id") String id) throws IOException {
    Job job = find(id);
    if (!job.status().isFinal()) {
      throw ApiException.of(409, "not_ended", "the job has not ended: cancel it first");
    }
    queue.remove(id);
    return Json.answer(Json.object().put("id", id).put("deleted", true));
  }

  /**
   * Tells of every change until the job has ended, as far as the caller keeps up. Where the server
   * is about to end before the job has, so does the stream, without an event that says so.
   */
  @GetMapping("/v1/jobs/" + ID + "/events")
  void events(
      @PathVariable("id") String id,
      @RequestParam(name = "previews", defaultValue = "false") boolean previews,
      HttpServletRequest request,
      HttpServletResponse response)
      throws IOException, InterruptedException {
    find(id);
    Followers.Place place = followers.enter();
    try {
      Optional<LiveJob> live = queue.live(id);
      EventStream events = new EventStream(response);
      if (live.isPresent() && !follow(live.get(), previews, request, events)) {
        return;
      }
      Optional<Job> ended = store.find(id).filter(job -> job.status().isFinal());
      if (ended.isPresent()) {
        events.event("end", describe(ended.get()));
      }
    } finally {
      place.close();
    }
  }

  private boolean follow(
      LiveJob job, boolean previews, HttpServletRequest request, EventStream events)
      throws IOException, InterruptedException {
    LiveJob.Watch watch = previews ? job.watch() : () -> {};
    try {
      return follow(job, previews, ConnectionProbe.of(request), events);
    } finally {
      watch.close();
    }
  }

  /** Returns whether the caller is still there at the end. */
  private boolean follow(LiveJob job, boolean previews, ConnectionProbe probe, EventStream events)
      throws IOException, InterruptedException {
    LiveJob.State state = job.state();
    events.event("status", status(state));
    int shown = 0;
    int silent = 0;
    while (!state.status().isFinal() && queue.live(job.id()).isPresent()) {
      LiveJob.State next = job.await(state.version(), PROBE_MILLIS);
      if (probe.isClosed()) {
        return false;
      }
      silent = next.version() == state.version() ? silent + PROBE_MILLIS : 0;
      if (silent == 0) {
        events.event("status", status(next));
      } else if (silent >= SILENCE_MILLIS) {
        events.comment("waiting");
        silent = 0;
      }
      if (previews && next.previewStep() != shown) {
        shown = next.previewStep();
        sendPreview(job, events);
      }
      state = next;
    }
    return true;
  }

  private static ObjectNode status(LiveJob.State state) {
    ObjectNode json = Json.object().put("status", state.status().id());
    json.put("queue_position", state.status() == JobStatus.QUEUED ? state.ahead() : null);
    json.set("progress", JobJson.progress(state));
    return json;
  }

  private static void sendPreview(LiveJob job, EventStream events) throws IOException {
    Optional<LiveJob.Partial> preview = job.preview();
    if (preview.isPresent()) {
      byte[] file = Previews.file(preview.get().picture(), ImageFormat.JPEG);
      events.event(
          "preview",
          json -> {
            json.writeNumberField("image", preview.get().image());
            json.writeNumberField("step", preview.get().number());
            json.writeStringField("media_type", "image/jpeg");
            json.writeBinaryField("b64_json", file);
          });
    }
  }

  private Job find(String id) {
    return store
        .find(id)
        .orElseThrow(() -> ApiException.of(404, "job_not_found", "there is no such job"));
  }

  private ObjectNode describe(Job job) {
    return JobJson.of(job, queue.live(job.id()));
  }
}
