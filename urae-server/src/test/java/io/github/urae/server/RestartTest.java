package io.github.urae.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What is left after the process has ended. */
class RestartTest {

  private static String order(int seed, int steps) {
    return "{\"prompt\":\"the sea\",\"size\":\"64x64\",\"steps\":"
        + steps
        + ",\"seed\":"
        + seed
        + "}";
  }

  @Test
  void jobsOutliveAServerThatIsClosed() throws Exception {
    Path data = folder();
    check(data, Optional.empty());
  }

  @Test
  void jobsOutliveAServerWithPostgresql() throws Exception {
    Optional<Postgres> found = Postgres.start();
    assumeTrue(found.isPresent(), "skipped: no PostgreSQL under /usr/lib/postgresql to test with");
    try (Postgres postgres = found.get()) {
      check(
          folder(),
          Optional.of(
              new ServerSettings.Database(postgres.url(), Optional.of("urae"), Optional.empty())));
    }
  }

  @Test
  void aDatabaseIsOfOneServer() throws Exception {
    Optional<Postgres> found = Postgres.start();
    assumeTrue(found.isPresent(), "skipped: no PostgreSQL under /usr/lib/postgresql to test with");
    try (Postgres postgres = found.get()) {
      Optional<ServerSettings.Database> database =
          Optional.of(
              new ServerSettings.Database(postgres.url(), Optional.of("urae"), Optional.empty()));
      try (RunningServer one = start(folder(), database)) {
        assertRefused(database);
        // Its own again after the connection was lost, as when PostgreSQL is started anew.
        endHolder(postgres);
        String id = JobsTest.submit(one, order(1, 1));
        assertThat(JobsTest.awaitEnd(one, id).get("status").textValue()).isEqualTo("completed");
        assertRefused(database);
        // Somebody else's, if he was faster.
        endHolder(postgres);
        try (RunningServer other = start(folder(), database)) {
          HttpResponse<String> refused = one.post("/v1/jobs", order(2, 1));
          assertThat(refused.statusCode()).as(refused.body()).isEqualTo(500);
          String taken = JobsTest.submit(other, order(3, 1));
          JobsTest.awaitEnd(other, taken);
          assertThat(JobsTest.json(other.get("/v1/jobs")).get("data")).hasSize(2);
        }
        try (Connection connection = connect(postgres);
            Statement statement = connection.createStatement()) {
          statement.execute("create schema other");
        }
        String schema = postgres.url() + "?currentSchema=other";
        start(
                folder(),
                Optional.of(
                    new ServerSettings.Database(schema, Optional.of("urae"), Optional.empty())))
            .close();
      }
      start(folder(), database).close();
    }
  }

  private static void assertRefused(Optional<ServerSettings.Database> database) {
    assertThatThrownBy(() -> start(folder(), database))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("another server uses this database, from 127.0.0.1, process ")
        .hasMessageContaining("?currentSchema=NAME");
  }

  /** Ends the connection that holds the lock, and waits for that. */
  private static void endHolder(Postgres postgres) throws SQLException {
    try (Connection connection = connect(postgres);
        Statement statement = connection.createStatement()) {
      statement.execute(
          "select pg_terminate_backend(pid, 60000) from pg_locks where locktype = 'advisory'");
    }
  }

  private static Connection connect(Postgres postgres) throws SQLException {
    return DriverManager.getConnection(postgres.url(), "urae", "");
  }

  private static Path folder() throws IOException {
    Files.createDirectories(RunningServer.FILES);
    return Files.createTempDirectory(RunningServer.FILES, "restart");
  }

  private static RunningServer start(Path data, Optional<ServerSettings.Database> database)
      throws IOException {
    return RunningServer.start(
        data,
        settings -> {
          database.ifPresent(settings::database);
          return settings;
        });
  }

  private static void check(Path data, Optional<ServerSettings.Database> database)
      throws IOException {
    List<String> ids = new ArrayList<>();
    try (RunningServer before = start(data, database)) {
      ids.add(JobsTest.submit(before, order(1, 2)));
      JobsTest.awaitEnd(before, ids.get(0));
      // Until one of those that wait is cancelled.
      String ahead = JobsTest.submit(before, JobsTest.LONG);
      ids.add(JobsTest.submit(before, order(2, 80)));
      ids.add(JobsTest.submit(before, order(3, 2)));
      ids.add(JobsTest.submit(before, order(4, 2)));
      before.post("/v1/jobs/" + ids.get(3) + "/cancel", "");
      before.post("/v1/jobs/" + ahead + "/cancel", "");
      JobsTest.await(
          "the first is begun", () -> !JobsTest.status(before, ids.get(1)).equals("queued"));
    }
    try (RunningServer after = start(data, database)) {
      JsonNode finished = JobsTest.json(after.get("/v1/jobs/" + ids.get(0)));
      assertThat(finished.get("status").textValue()).isEqualTo("completed");
      String picture = finished.get("result").get("pictures").get(0).get("url").textValue();
      assertThat(after.get(picture).statusCode()).isEqualTo(200);
      assertThat(JobsTest.json(after.get("/v1/jobs/" + ids.get(3))).get("status").textValue())
          .isEqualTo("cancelled");
      for (String id : ids.subList(1, 3)) {
        assertThat(JobsTest.awaitEnd(after, id).get("status").textValue()).isEqualTo("completed");
      }
      assertThat(JobsTest.json(after.get("/v1/jobs")).get("data")).hasSize(5);
    }
  }

  /** And it needs no temporary folder: the root file system of a container may be read-only. */
  @Test
  void jobsOutliveAProcessThatIsKilled() throws Exception {
    Path data = folder();
    Path temporary = data.resolve("not-there");
    HttpClient client = HttpClient.newHttpClient();
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Djava.io.tmpdir=" + temporary,
                "-cp",
                System.getProperty("java.class.path"),
                "io.github.urae.cli.UraeCommand",
                "serve",
                "--port",
                "0",
                "--data",
                data.toString(),
                "--cache-dir",
                RunningServer.FILES.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    List<String> ids = new ArrayList<>();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      String line = out.readLine();
      assertThat(line).contains(" on http://127.0.0.1:");
      String base = line.substring(line.indexOf("http"));
      for (int i = 0; i < 3; i++) {
        HttpResponse<String> response =
            client.send(
                HttpRequest.newBuilder(URI.create(base + "/v1/jobs"))
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString(order(i, i == 1 ? 80 : 1)))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
        ids.add(JobsTest.json(response).get("id").textValue());
      }
      // Until the first is done, of which only this event is the last.
      client.send(
          HttpRequest.newBuilder(URI.create(base + "/v1/jobs/" + ids.get(0) + "/events")).build(),
          HttpResponse.BodyHandlers.ofString());
    } finally {
      process.destroyForcibly().waitFor();
    }
    assertThat(temporary).doesNotExist();
    try (RunningServer after = RunningServer.start(data, settings -> settings)) {
      for (String id : ids) {
        JsonNode job = JobsTest.awaitEnd(after, id);
        assertThat(job.get("status").textValue()).isEqualTo("completed");
        String picture = job.get("result").get("pictures").get(0).get("url").textValue();
        assertThat(after.get(picture).statusCode()).isEqualTo(200);
      }
      assertThat(JobsTest.json(after.get("/v1/jobs")).get("data")).hasSize(3);
    }
  }

  @Test
  void orderlyEndsAreNotCountedAndTellWhoWaited() throws Exception {
    Path data = folder();
    String id;
    CompletableFuture<HttpResponse<String>> waiting;
    HttpResponse<InputStream> streamed;
    HttpResponse<InputStream> following;
    try (RunningServer before = start(data, Optional.empty())) {
      id = JobsTest.submit(before, JobsTest.LONG);
      waiting =
          before.client.sendAsync(
              generation(before, order(2, 200)).build(), HttpResponse.BodyHandlers.ofString());
      JobsTest.await(
          "there is another job",
          () -> JobsTest.json(before.get("/v1/jobs")).get("data").size() == 2);
      // These return as soon as their answers have begun.
      streamed =
          before.send(
              generation(before, order(3, 200).replace("}", ",\"stream\":true}")),
              HttpResponse.BodyHandlers.ofInputStream());
      following =
          before.send(
              before.request("/v1/jobs/" + id + "/events"),
              HttpResponse.BodyHandlers.ofInputStream());
      JobsTest.awaitGenerating(before, id);
    }
    HttpResponse<String> answer = waiting.get(1, TimeUnit.MINUTES);
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(503);
    assertThat(answer.headers().firstValue("Retry-After")).isPresent();
    assertThat(answer.body()).contains("\"code\":\"interrupted\"");
    assertThat(rest(streamed)).contains("event: error", "\"code\":\"interrupted\"");
    // The job goes on after the next start, so that this is not its end.
    assertThat(rest(following)).contains("event: status").doesNotContain("event: end");
    for (int i = 0; i < 3; i++) {
      try (RunningServer again = start(data, Optional.empty())) {
        JobsTest.awaitGenerating(again, id);
      }
    }
    try (RunningServer after = start(data, Optional.empty())) {
      assertThat(JobsTest.status(after, id)).isIn("queued", "generating");
      after.post("/v1/jobs/" + id + "/cancel", "");
      for (JsonNode waited : JobsTest.json(after.get("/v1/jobs?limit=2")).get("data")) {
        assertThat(waited.get("status").textValue()).isEqualTo("failed");
        assertThat(waited.get("error").get("code").textValue()).isEqualTo("interrupted");
      }
    }
  }

  private static HttpRequest.Builder generation(RunningServer to, String order) {
    return to.request("/v1/images/generations")
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(order));
  }

  private static String rest(HttpResponse<InputStream> answer) throws IOException {
    return new String(answer.body().readAllBytes(), StandardCharsets.UTF_8);
  }

  @Test
  void aFolderIsOfOneServer() throws IOException {
    try (RunningServer one = RunningServer.start()) {
      assertThatThrownBy(() -> RunningServer.start(one.data, settings -> settings))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("another server");
    }
  }

  @Test
  void whatPreventsAStartIsTold() throws IOException {
    try (RunningServer one = RunningServer.start()) {
      assertThatThrownBy(() -> RunningServer.start(settings -> settings.port(one.port())))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("127.0.0.1:" + one.port());
    }
    Path missing = folder().resolve("adapters");
    assertThatThrownBy(() -> RunningServer.start(settings -> settings.adapterFolder(missing)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(missing.toString())
        .hasMessageContaining("found nothing; make it");
    ServerSettings.Database nowhere =
        new ServerSettings.Database(
            "jdbc:postgresql://127.0.0.1:1/urae?password=secret",
            Optional.empty(),
            Optional.empty());
    assertThatThrownBy(() -> start(folder(), Optional.of(nowhere)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("jdbc:postgresql://127.0.0.1:1/urae")
        .hasMessageNotContaining("secret");
  }
}
