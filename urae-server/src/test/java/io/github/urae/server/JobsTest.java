package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.flux.TrueGuidance;
import io.github.urae.image.ImageFormat;
import io.github.urae.image.RgbImage;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Jobs, their pictures, plans and settings. */
@SuppressWarnings("StringConcatToTextBlock") // Lines of HTTP end otherwise.
class JobsTest {

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Ten pictures, of many steps each: to be ended by whoever asks for it. */
  static final String LONG =
      "{\"prompt\":\"the sea\",\"size\":\"256x256\",\"steps\":200,\"seed\":1,\"n\":10}";

  private static final String SHORT =
      "{\"prompt\":\"the sea\",\"size\":\"32x32\",\"steps\":1,\"seed\":1}";

  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private static RunningServer server;

  @BeforeAll
  static void start() throws IOException {
    server = RunningServer.start(settings -> settings.maxQueued(3).keptJobs(50));
  }

  @AfterAll
  static void stop() throws IOException {
    server.close();
  }

  static JsonNode json(HttpResponse<String> response) throws IOException {
    return JSON.readTree(response.body());
  }

  static String submit(RunningServer to, String order) throws IOException {
    HttpResponse<String> response = to.post("/v1/jobs", order);
    assertThat(response.statusCode()).as(response.body()).isEqualTo(202);
    return json(response).get("id").textValue();
  }

  static JsonNode awaitEnd(RunningServer of, String id) throws IOException {
    String events = of.get("/v1/jobs/" + id + "/events").body();
    assertThat(events).contains("event: end");
    return json(of.get("/v1/jobs/" + id));
  }

  /** Something that is true sooner or later. */
  @FunctionalInterface
  interface Condition {
    boolean holds() throws IOException;
  }

  static void await(String what, Condition condition) throws IOException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.holds()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("waited in vain: " + what);
      }
      try {
        Thread.sleep(10);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  static String status(RunningServer of, String id) throws IOException {
    return json(of.get("/v1/jobs/" + id)).get("status").textValue();
  }

  static void awaitGenerating(RunningServer of, String id) throws IOException {
    await(
        id + " is generated",
        () -> {
          String status = status(of, id);
          assertThat(status).isIn("queued", "generating");
          return status.equals("generating");
        });
  }

  /** Ends a job that is drawn. */
  private static void cancel(RunningServer of, String id) throws IOException {
    JsonNode answered = json(of.post("/v1/jobs/" + id + "/cancel", ""));
    // Whoever draws it may need more time than the answer waits.
    assertThat(answered.get("status").textValue()).isIn("cancelled", "generating");
    assertThat(awaitEnd(of, id).get("status").textValue()).isEqualTo("cancelled");
  }

  @Test
  void aJobIsDrawnAndFound() throws IOException {
    HttpResponse<String> submitted =
        server.post(
            "/v1/jobs",
            "{\"prompt\":\"a <b>boat</b>\",\"size\":\"64x48\",\"steps\":2,\"n\":2,\"seed\":7,"
                + "\"guidance\":2.5,\"negative_prompt\":\"text\",\"output_format\":\"jpeg\","
                + "\"output_compression\":80}");
    assertThat(submitted.statusCode()).isEqualTo(202);
    String id = json(submitted).get("id").textValue();
    assertThat(submitted.headers().firstValue("Location")).hasValue("/v1/jobs/" + id);
    JsonNode job = awaitEnd(server, id);
    assertThat(job.get("status").textValue()).isEqualTo("completed");
    assertThat(job.get("kind").textValue()).isEqualTo("generation");
    assertThat(job.get("result").get("pictures")).hasSize(2);
    assertThat(job.get("settings").get("prompt").textValue()).isEqualTo("a <b>boat</b>");
    assertThat(job.get("settings").get("negative_prompt").textValue()).isEqualTo("text");
    assertThat(job.get("settings").get("true_cfg").doubleValue())
        .isEqualTo(TrueGuidance.DEFAULT_SCALE);
    for (JsonNode picture : job.get("result").get("pictures")) {
      BufferedImage image =
          ImageIO.read(
              new ByteArrayInputStream(
                  server
                      .send(
                          server.request(picture.get("url").textValue()),
                          HttpResponse.BodyHandlers.ofByteArray())
                      .body()));
      assertThat(image.getWidth()).isEqualTo(64);
      assertThat(server.get(picture.get("thumbnail").textValue()).statusCode()).isEqualTo(200);
    }
    JsonNode result = json(server.get("/v1/jobs/" + id + "/result"));
    assertThat(result.get("data")).hasSize(2);
    JsonNode list = json(server.get("/v1/jobs?limit=1"));
    assertThat(list.get("data").get(0).get("id").textValue()).isEqualTo(id);
  }

  @Test
  void aPictureCanBeWebp() throws IOException {
    String order =
        "{\"prompt\":\"dunes\",\"size\":\"64x48\",\"steps\":3,\"seed\":7,\"output_format\":";
    String id = submit(server, order + "\"webp\",\"output_compression\":80}");
    JsonNode picture = awaitEnd(server, id).get("result").get("pictures").get(0);
    String path = picture.get("url").textValue();
    assertThat(path).endsWith("/0.webp");
    HttpResponse<byte[]> file =
        server.send(server.request(path), HttpResponse.BodyHandlers.ofByteArray());
    assertThat(file.headers().firstValue("Content-Type")).hasValue("image/webp");
    String png = submit(server, order + "\"png\"}");
    assertThat(image(path))
        .isEqualTo(image(awaitEnd(server, png).at("/result/pictures/0/url").textValue()));
    assertThat(image(picture.get("thumbnail").textValue()).width()).isEqualTo(64);
    JsonNode settings =
        json(
            server.send(
                server
                    .request("/v1/settings")
                    .POST(HttpRequest.BodyPublishers.ofByteArray(file.body()))));
    assertThat(settings.get("prompt").textValue()).isEqualTo("dunes");
    assertThat(settings.get("seed").intValue()).isEqualTo(7);

    String events =
        server
            .post(
                "/v1/images/generations", order + "\"webp\",\"stream\":true,\"partial_images\":1}")
            .body();
    for (String event : List.of("partial_image", "completed")) {
      String data = events.substring(events.indexOf("event: image_generation." + event));
      JsonNode told = JSON.readTree(data.substring(data.indexOf("data: ") + 6));
      assertThat(told.get("output_format").textValue()).isEqualTo("webp");
      assertThat(new String(told.get("b64_json").binaryValue(), StandardCharsets.ISO_8859_1))
          .startsWith("RIFF")
          .contains("WEBP");
    }
  }

  @Test
  void jobsWaitInOrderAndAreRefusedWhenTooMany() throws IOException {
    String running = submit(server, LONG);
    awaitGenerating(server, running);
    List<String> waiting = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      waiting.add(submit(server, SHORT));
    }
    for (int i = 0; i < 3; i++) {
      assertThat(status(server, waiting.get(i))).isEqualTo("queued");
      awaitPosition(waiting.get(i), i + 1);
    }
    HttpResponse<String> refused = server.post("/v1/jobs", SHORT);
    assertThat(refused.statusCode()).isEqualTo(429);
    assertThat(json(refused).get("error").get("code").textValue()).isEqualTo("queue_full");
    assertThat(Integer.parseInt(refused.headers().firstValue("Retry-After").orElseThrow()))
        .isPositive();
    assertThat(server.post("/v1/images/generations", SHORT).statusCode()).isEqualTo(429);

    JsonNode cancelled = json(server.post("/v1/jobs/" + waiting.get(0) + "/cancel", ""));
    assertThat(cancelled.get("status").textValue()).isEqualTo("cancelled");
    awaitPosition(waiting.get(2), 2);
    assertThat(server.get("/v1/jobs/" + running + "/result").statusCode()).isEqualTo(409);
    assertThat(server.send(server.request("/v1/jobs/" + running).DELETE()).statusCode())
        .isEqualTo(409);
    cancel(server, running);
    for (String id : waiting.subList(1, 3)) {
      assertThat(awaitEnd(server, id).get("status").textValue()).isEqualTo("completed");
    }
  }

  /** A job that has just ended counts until its thread is done with it. */
  private static void awaitPosition(String id, int position) throws IOException {
    await(
        id + " is number " + position,
        () -> json(server.get("/v1/jobs/" + id)).get("queue_position").asInt() == position);
  }

  @Test
  void whoGoesIsNotDrawnFor() throws IOException {
    for (String stream : List.of("", ",\"stream\":true")) {
      String order = LONG.substring(0, LONG.length() - 1) + stream + "}";
      String before = newest().path("id").asText();
      try (RawConnection caller = new RawConnection(server)) {
        caller.send(
            "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\n"
                + "Content-Type: application/json\r\nContent-Length: "
                + order.length()
                + "\r\n\r\n"
                + order);
        await(
            "the caller's job is generated",
            () -> {
              JsonNode job = newest();
              return !job.path("id").asText().equals(before)
                  && job.get("status").asText().equals("generating");
            });
      }
      String id = newest().get("id").textValue();
      assertThat(awaitEnd(server, id).get("status").textValue()).isEqualTo("cancelled");
    }
  }

  private static JsonNode newest() throws IOException {
    JsonNode jobs = json(server.get("/v1/jobs?limit=1")).get("data");
    return jobs.isEmpty() ? JSON.createObjectNode().put("status", "none") : jobs.get(0);
  }

  @Test
  void eventsTellOfStepsAndShowPreviews() throws IOException {
    // So that it is not drawn before somebody follows it.
    String before = submit(server, LONG);
    awaitGenerating(server, before);
    String id =
        submit(server, "{\"prompt\":\"the sea\",\"size\":\"64x64\",\"steps\":30,\"seed\":1}");
    HttpResponse<InputStream> following =
        server.send(
            server.request("/v1/jobs/" + id + "/events?previews=true"),
            HttpResponse.BodyHandlers.ofInputStream());
    cancel(server, before);
    String events = new String(following.body().readAllBytes(), StandardCharsets.UTF_8);
    List<JsonNode> previews = new ArrayList<>();
    JsonNode end = null;
    for (String event : events.split("\n\n", 0)) {
      if (event.startsWith(":")) {
        continue; // A comment, where nothing happens for a while.
      }
      JsonNode data = JSON.readTree(event.substring(event.indexOf("data: ") + 6));
      if (event.startsWith("event: preview")) {
        previews.add(data);
      } else if (event.startsWith("event: end")) {
        end = data;
      }
    }
    assertThat(previews).isNotEmpty();
    BufferedImage preview =
        ImageIO.read(new ByteArrayInputStream(previews.get(0).get("b64_json").binaryValue()));
    assertThat(preview.getWidth()).isEqualTo(8);
    assertThat(end.get("status").textValue()).isEqualTo("completed");
  }

  @Test
  void aPictureTellsItsSettings() throws IOException {
    String id =
        submit(
            server,
            "{\"prompt\":\"dunes\",\"size\":\"192x144\",\"steps\":2,\"seed\":\"18446744073709551615\","
                + "\"adapters\":[],\"profile\":\"ultra\",\"coarse_to_fine\":{\"strength\":0.5}}");
    JsonNode job = awaitEnd(server, id);
    byte[] picture =
        server
            .send(
                server.request(job.get("result").get("pictures").get(0).get("url").textValue()),
                HttpResponse.BodyHandlers.ofByteArray())
            .body();
    JsonNode settings =
        json(
            server.send(
                server
                    .request("/v1/settings")
                    .POST(HttpRequest.BodyPublishers.ofByteArray(picture))));
    assertThat(settings.get("prompt").textValue()).isEqualTo("dunes");
    assertThat(settings.get("size").textValue()).isEqualTo("192x144");
    assertThat(settings.get("seed").textValue()).isEqualTo("18446744073709551615");
    assertThat(settings.get("profile").textValue()).isEqualTo("ultra");
    assertThat(settings.get("coarse_to_fine").get("strength").doubleValue()).isEqualTo(0.5);
    assertThat(settings.get("start_picture_needed").booleanValue()).isFalse();

    // What was settled by the server is what the library draws.
    Path file = Files.write(server.data.resolve("again.png"), picture);
    RgbImage again =
        RunningServer.pipeline().generate(GenerationRequest.of(file)).get(0).toRgbImage();
    assertThat(again).isEqualTo(RgbImage.read(file));
  }

  @Test
  void aPlanTellsWhatAPictureTakes() throws IOException {
    awaitEnd(server, submit(server, SHORT));
    JsonNode plan =
        json(server.post("/v1/plan", "{\"prompt\":\"the sea\",\"size\":\"4096x4096\"}"));
    assertThat(plan.get("image_tokens").longValue()).isEqualTo(65_536);
    assertThat(plan.get("peak_bytes").longValue()).isGreaterThan(1 << 28);
    assertThat(plan.get("seconds").doubleValue()).isPositive();
    assertThat(plan.get("phases").size()).isGreaterThan(2);
    assertThat(server.post("/v1/plan", "{\"prompt\":\"a\",\"size\":\"4112x16\"}").statusCode())
        .isEqualTo(400);
  }

  @Test
  void whatDoesNotFitIsToldWithWhatWould() throws IOException {
    try (RunningServer small = RunningServer.start(settings -> settings.memoryLimit(256 << 20))) {
      JsonNode plan =
          json(small.post("/v1/plan", "{\"prompt\":\"the sea\",\"size\":\"2048x1024\"}"));
      assertThat(plan.get("fits").booleanValue()).isFalse();
      JsonNode fits = plan.get("would_fit");
      assertThat(fits.get("peak_bytes").longValue()).isLessThan(256 << 20);
      assertThat(fits.get("size").textValue()).matches("\\d+x\\d+");
    }
  }

  @Test
  void tilesMakeUpThePicture() throws IOException {
    String id =
        submit(server, "{\"prompt\":\"the sea\",\"size\":\"592x304\",\"steps\":1,\"seed\":1}");
    JsonNode picture = awaitEnd(server, id).get("result").get("pictures").get(0);
    String dzi = picture.get("tiles").textValue();
    assertThat(server.get(dzi).body()).contains("Width=\"592\" Height=\"304\"", "TileSize=\"256\"");
    String tiles = dzi.replace(".dzi", "_files/");
    RgbImage whole = image(picture.get("url").textValue());
    for (int y = 0; y < 2; y++) {
      for (int x = 0; x < 3; x++) {
        RgbImage tile = image(tiles + "10/" + x + "_" + y + ".jpg");
        assertThat(tile.width()).isEqualTo(x < 2 ? 256 : 80);
        assertThat(tile.height()).isEqualTo(y < 1 ? 256 : 48);
        assertClose(tile.pixel(40, 20), whole.pixel(256 * x + 40, 256 * y + 20));
      }
    }
    assertThat(image(tiles + "9/0_0.jpg").width()).isEqualTo(256);
    assertThat(image(tiles + "9/1_0.jpg").width()).isEqualTo(40);
    assertThat(image(tiles + "0/0_0.jpg").width()).isEqualTo(1);
    assertThat(server.get(tiles + "10/3_0.jpg").statusCode()).isEqualTo(404);
    assertThat(server.get(tiles + "11/0_0.jpg").statusCode()).isEqualTo(404);
  }

  private static RgbImage image(String path) throws IOException {
    HttpResponse<byte[]> response =
        server.send(server.request(path), HttpResponse.BodyHandlers.ofByteArray());
    assertThat(response.statusCode()).as(path).isEqualTo(200);
    return RgbImage.read(new ByteArrayInputStream(response.body()), path);
  }

  private static void assertClose(int found, int expected) {
    for (int shift = 0; shift < 24; shift += 8) {
      assertThat((found >> shift & 0xFF) - (expected >> shift & 0xFF)).isBetween(-40, 40);
    }
  }

  @Test
  void adaptersAreTakenByName() throws IOException {
    try (RunningServer other =
        RunningServer.start(
            settings -> {
              try {
                return settings.adapterFolder(RunningServer.model().adapter2k().getParent());
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            })) {
      assertThat(json(other.get("/v1/server")).get("adapters").toString())
          .isEqualTo("[\"urae_2k_adapter\",\"urae_4k_adapter\"]");
      Set<String> pictures = new HashSet<>();
      for (String adapters :
          List.of(
              "[]",
              "[\"urae_2k_adapter\"]",
              "[{\"name\":\"urae_2k_adapter\",\"scale\":0.5}]",
              "[\"urae_2k_adapter=0.5\"]",
              "[]")) {
        String order = SHORT.substring(0, SHORT.length() - 1) + ",\"adapters\":" + adapters + "}";
        pictures.add(
            json(other.post("/v1/images/generations", order))
                .get("data")
                .get(0)
                .get("b64_json")
                .textValue());
      }
      assertThat(pictures).hasSize(3);
      // Minor components are refused without what they were trained on.
      HttpResponse<String> refused =
          other.post(
              "/v1/images/generations",
              SHORT.substring(0, SHORT.length() - 1) + ",\"adapters\":[\"urae_4k_adapter\"]}");
      assertThat(refused.statusCode()).as(refused.body()).isEqualTo(400);
      assertThat(json(refused).get("error").get("param").textValue()).isEqualTo("adapters");
      assertThat(refused.body()).doesNotContain(RunningServer.FILES.toString());
      assertThat(other.post("/v1/images/generations", SHORT).statusCode()).isEqualTo(200);
    }
  }

  @Test
  void jobsWithOtherAdaptersWaitAndCanBeCancelled() throws Exception {
    Path adapters = RunningServer.model().adapter2k().getParent();
    try (RunningServer two =
        RunningServer.start(settings -> settings.adapterFolder(adapters).concurrency(2))) {
      String drawn = submit(two, LONG);
      awaitGenerating(two, drawn);
      String with = LONG.substring(0, LONG.length() - 1) + ",\"adapters\":[\"urae_2k_adapter\"]}";
      String other = submit(two, with);
      awaitGenerating(two, other);
      // It has its turn, but not its adapter; whoever needs none is not kept from drawing by it.
      cancel(two, other);
      assertThat(awaitEnd(two, submit(two, SHORT)).get("status").textValue())
          .isEqualTo("completed");
      String next = submit(two, with);
      awaitGenerating(two, next);
      assertThat(status(two, drawn)).isEqualTo("generating");
      two.post("/v1/jobs/" + drawn + "/cancel", "");
      await(
          "the other has its adapter",
          () -> json(two.get("/v1/jobs/" + next)).at("/progress/steps").asInt() > 0);
      two.post("/v1/jobs/" + next + "/cancel", "");
    }
  }

  @Test
  void noMoreCallersFollowThanThereArePlaces() throws Exception {
    String id = submit(server, LONG);
    List<RawConnection> followers = new ArrayList<>();
    try {
      for (int i = 0; i < 16; i++) {
        RawConnection follower = new RawConnection(server);
        followers.add(follower);
        follower.send("GET /v1/jobs/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        follower.until("event: status");
      }
      HttpResponse<String> refused = server.get("/v1/jobs/" + id + "/events");
      assertThat(refused.statusCode()).isEqualTo(429);
      assertThat(refused.headers().firstValue("Retry-After")).hasValue("5");
      assertThat(json(refused).get("error").get("code").textValue())
          .isEqualTo("too_many_followers");
      assertThat(server.get("/v1/jobs/" + id).statusCode()).isEqualTo(200);
      // Whoever goes makes place.
      followers.get(0).close();
      await(
          "there is a place",
          () -> {
            HttpResponse<InputStream> taken =
                server.send(
                    server.request("/v1/jobs/" + id + "/events"),
                    HttpResponse.BodyHandlers.ofInputStream());
            taken.body().close();
            assertThat(taken.statusCode()).isIn(200, 429);
            return taken.statusCode() == 200;
          });
    } finally {
      server.post("/v1/jobs/" + id + "/cancel", "");
      for (RawConnection follower : followers) {
        follower.close();
      }
    }
  }

  @Test
  void slowUploadsKeepNobodyWaitingAndLeaveNothing() throws Exception {
    ByteArrayOutputStream start = new ByteArrayOutputStream();
    ImageFormat.PNG.write(RgbImage.of(32, 32, new int[1024]), Map.of(), start);
    String begin =
        "--a\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nthe sea\r\n"
            + "--a\r\nContent-Disposition: form-data; name=\"steps\"\r\n\r\n2\r\n"
            + "--a\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n";
    List<RawConnection> slow = new ArrayList<>();
    // They may be slow for longer than anything here takes.
    try (RunningServer patient =
        RunningServer.start(settings -> settings.patience(Duration.ofMinutes(30)))) {
      Path uploads = patient.data.resolve("temporary").resolve("uploads");
      for (int i = 0; i < 8; i++) {
        slow.add(
            new RawConnection(patient)
                .send(
                    "POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Type: multipart/form-data; boundary=a\r\n"
                        + "Content-Length: 100000\r\n\r\n"
                        + begin));
      }
      await("all of them are received", () -> count(uploads) == 8);
      ByteArrayOutputStream form = new ByteArrayOutputStream();
      form.writeBytes(begin.getBytes(StandardCharsets.UTF_8));
      form.writeBytes(start.toByteArray());
      form.writeBytes("\r\n--a--\r\n".getBytes(StandardCharsets.UTF_8));
      HttpResponse<String> drawn =
          patient.send(
              patient
                  .request("/v1/images/edits")
                  .timeout(PATIENCE)
                  .header("Content-Type", "multipart/form-data; boundary=a")
                  .POST(HttpRequest.BodyPublishers.ofByteArray(form.toByteArray())));
      assertThat(drawn.statusCode()).as(drawn.body()).isEqualTo(200);
      assertThat(json(drawn).get("size").textValue()).isEqualTo("32x32");
      assertThat(count(uploads)).as("those who are slow are still at it").isEqualTo(8);
      for (RawConnection connection : slow) {
        connection.close();
      }
      await("nothing is left of them", () -> count(uploads) == 0);
    } finally {
      for (RawConnection connection : slow) {
        connection.close();
      }
    }
  }

  private static long count(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.count();
    }
  }

  @Test
  void endedJobsBeyondTheNewestAreRemovedWithTheirFiles() throws IOException {
    try (RunningServer forgetful = RunningServer.start(settings -> settings.keptJobs(2))) {
      List<String> ids = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        ids.add(submit(forgetful, SHORT));
        awaitEnd(forgetful, ids.get(i));
      }
      // After the last has ended.
      await(
          "the oldest is removed",
          () -> forgetful.get("/v1/jobs/" + ids.get(0)).statusCode() == 404);
      assertThat(forgetful.get("/v1/jobs/" + ids.get(3)).statusCode()).isEqualTo(200);
      await("two have files", () -> files(forgetful.data).size() == 2);
      forgetful.send(forgetful.request("/v1/jobs/" + ids.get(3)).DELETE());
      assertThat(files(forgetful.data)).hasSize(1);
    }
  }

  private static Set<String> files(Path data) throws IOException {
    try (Stream<Path> files = Files.walk(data.resolve("jobs"))) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> file.getFileName().toString())
          .collect(Collectors.toSet());
    }
  }

  @Test
  void aMaskIsRefusedByName() {
    String form =
        "--a\r\n"
            + "Content-Disposition: form-data; name=\"prompt\"\r\n\r\n"
            + "b\r\n"
            + "--a\r\n"
            + "Content-Disposition: form-data; name=\"mask\"; filename=\"m.png\"\r\n\r\n"
            + "x\r\n"
            + "--a--\r\n";
    HttpResponse<String> response =
        server.send(
            server
                .request("/v1/images/edits")
                .header("Content-Type", "multipart/form-data; boundary=a")
                .POST(HttpRequest.BodyPublishers.ofString(form)));
    assertThat(response.statusCode()).isEqualTo(400);
    assertThat(response.body()).contains("\"param\":\"mask\"", "unsupported_value");
  }
}
