package io.github.urae.server.internal.http;

import com.fasterxml.jackson.core.JsonGenerator;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.server.internal.job.Drawing;
import io.github.urae.server.internal.job.JobFailure;
import io.github.urae.server.internal.job.JobKind;
import io.github.urae.server.internal.job.JobQueue;
import io.github.urae.server.internal.job.JobStatus;
import io.github.urae.server.internal.job.LiveJob;
import io.github.urae.server.internal.picture.PictureFiles;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * OpenAI's image API. A caller waits on his connection; a job whose caller goes is cancelled.
 *
 * @see <a href="https://platform.openai.com/docs/api-reference/images">Images</a>
 */
@RestController
final class ImagesController {

  private static final int PROBE_MILLIS = 200;

  private final Bodies bodies;
  private final OrderReader reader;
  private final Submission submission;
  private final JobQueue queue;
  private final PictureFiles files;
  private final Links links;

  ImagesController(
      Bodies bodies,
      OrderReader reader,
      Submission submission,
      JobQueue queue,
      PictureFiles files,
      Links links) {
    this.bodies = bodies;
    this.reader = reader;
    this.submission = submission;
    this.queue = queue;
    this.files = files;
    this.links = links;
  }

  @PostMapping("/v1/images/generations")
  void generate(HttpServletRequest request, HttpServletResponse response)
      throws IOException, InterruptedException {
    answer(accept(reader.generation(bodies.json(request))), request, response);
  }

  @PostMapping("/v1/images/edits")
  void edit(HttpServletRequest request, HttpServletResponse response)
      throws IOException, InterruptedException {
    // The upload is in memory until the job is there.
    answer(bodies.form(request, parts -> accept(reader.edit(parts))), request, response);
  }

  /**
   * A job whose caller waits.
   *
   * @param job without the picture that it starts from
   * @param streamed whether the answer is a stream of events
   * @param links whether pictures are answered as links
   */
  private record Accepted(LiveJob job, boolean streamed, boolean links) {}

  private Accepted accept(Order order) throws IOException {
    return new Accepted(submission.submit(order.drawing(), true), order.streamed(), order.links());
  }

  private void answer(Accepted order, HttpServletRequest request, HttpServletResponse response)
      throws IOException, InterruptedException {
    LiveJob job = order.job();
    boolean answered = false;
    try {
      if (order.streamed()) {
        stream(job, order.links(), request, response);
      } else {
        answerWhole(job, order.links(), request, response);
      }
      answered = true;
    } catch (InterruptedException e) {
      // By the end of the server, not of the caller: the queue notes it as that.
      answered = true;
      throw ApiException.of(JobFailure.INTERRUPTED);
    } finally {
      if (!answered) {
        queue.cancel(job.id());
      }
    }
  }

  private void answerWhole(
      LiveJob job, boolean asLinks, HttpServletRequest request, HttpServletResponse response)
      throws IOException, InterruptedException {
    ConnectionProbe probe = ConnectionProbe.of(request);
    LiveJob.State state = job.state();
    while (!state.status().isFinal()) {
      state = job.await(state.version(), PROBE_MILLIS);
      if (!state.status().isFinal() && probe.isClosed()) {
        queue.cancel(job.id());
        return;
      }
    }
    checkCompleted(state);
    response.setContentType("application/json");
    try (JsonGenerator json = Json.MAPPER.createGenerator(response.getOutputStream())) {
      json.writeStartObject();
      json.writeNumberField("created", Instant.now().getEpochSecond());
      json.writeArrayFieldStart("data");
      for (int i = 0; i < state.pictures(); i++) {
        json.writeStartObject();
        writePicture(job, i, asLinks, request, json);
        json.writeEndObject();
      }
      json.writeEndArray();
      writeSettings(job.drawing(), json);
      writeUsage(job.drawing(), state.pictures(), json);
      json.writeEndObject();
    }
  }

  private static void checkCompleted(LiveJob.State state) {
    if (state.status() == JobStatus.FAILED) {
      throw ApiException.of(state.failure());
    }
    if (state.status() != JobStatus.COMPLETED) {
      throw ApiException.of(409, "cancelled", "the job was cancelled");
    }
  }

  private void stream(
      LiveJob job, boolean asLinks, HttpServletRequest request, HttpServletResponse response)
      throws IOException, InterruptedException {
    EventStream events = new EventStream(response);
    ConnectionProbe probe = ConnectionProbe.of(request);
    String prefix = job.drawing().kind() == JobKind.EDIT ? "image_edit" : "image_generation";
    events.comment("queued");
    LiveJob.State state = job.state();
    int shown = 0;
    while (!state.status().isFinal()) {
      state = job.await(state.version(), PROBE_MILLIS);
      for (; shown < state.partials(); shown++) {
        sendPartial(job, job.partial(shown), prefix, events);
      }
      events.comment(describe(state));
      if (!state.status().isFinal() && probe.isClosed()) {
        queue.cancel(job.id());
        return;
      }
    }
    try {
      checkCompleted(state);
    } catch (ApiException failure) {
      events.event("error", ErrorAnswers.body(failure).put("type", "error"));
      return;
    }
    for (int i = 0; i < state.pictures(); i++) {
      int index = i;
      events.event(
          prefix + ".completed",
          json -> {
            json.writeStringField("type", prefix + ".completed");
            json.writeNumberField("created_at", Instant.now().getEpochSecond());
            writeSettings(job.drawing(), json);
            writePicture(job, index, asLinks, request, json);
            writeUsage(job.drawing(), 1, json);
          });
    }
  }

  private static String describe(LiveJob.State state) {
    return state.steps() == 0
        ? state.status().id() + ", " + state.ahead() + " ahead"
        : "step " + state.step() + " of " + state.steps();
  }

  private static void sendPartial(
      LiveJob job, LiveJob.Partial partial, String prefix, EventStream events) throws IOException {
    GenerationRequest request = job.drawing().request();
    byte[] picture =
        Previews.enlarged(
            partial.picture(),
            request.width().orElseThrow(),
            request.height().orElseThrow(),
            job.drawing().type().format());
    events.event(
        prefix + ".partial_image",
        json -> {
          json.writeStringField("type", prefix + ".partial_image");
          json.writeNumberField("created_at", Instant.now().getEpochSecond());
          writeSettings(job.drawing(), json);
          json.writeBinaryField("b64_json", picture);
          json.writeNumberField("partial_image_index", partial.number());
        });
  }

  private static void writeSettings(Drawing drawing, JsonGenerator json) throws IOException {
    GenerationRequest request = drawing.request();
    json.writeStringField(
        "size", request.width().orElseThrow() + "x" + request.height().orElseThrow());
    json.writeStringField("quality", "auto");
    json.writeStringField("background", "opaque");
    json.writeStringField("output_format", drawing.type().id());
  }

  private void writePicture(
      LiveJob job, int index, boolean asLink, HttpServletRequest request, JsonGenerator json)
      throws IOException {
    if (asLink) {
      json.writeStringField("url", links.absolute(request, job.id(), index, job.drawing().type()));
      return;
    }
    Path file =
        files
            .find(job.id(), index, job.drawing().type())
            .orElseThrow(() -> new NoSuchFileException("picture " + index));
    json.writeFieldName("b64_json");
    try (InputStream in = Files.newInputStream(file)) {
      json.writeBinary(in, Math.toIntExact(Files.size(file)));
    }
  }

  private void writeUsage(Drawing drawing, int pictures, JsonGenerator json) throws IOException {
    long tokens = pictures * submission.plan(drawing.request()).imageTokens();
    json.writeObjectFieldStart("usage");
    json.writeNumberField("input_tokens", 0);
    json.writeNumberField("output_tokens", tokens);
    json.writeNumberField("total_tokens", tokens);
    json.writeObjectFieldStart("input_tokens_details");
    json.writeNumberField("image_tokens", 0);
    json.writeNumberField("text_tokens", 0);
    json.writeEndObject();
    json.writeEndObject();
  }
}
