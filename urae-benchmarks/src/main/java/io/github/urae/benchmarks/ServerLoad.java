package io.github.urae.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * {@code ./urae serve} under load, with the bundled model: so many requests, so many at once,
 * beside what the library does alone, in turns; then killed (SIGKILL) in the middle of as many jobs
 * and started again. Every request must be answered once with its own picture, every job end as
 * completed once. With {@code --minutes}, constant load for that long: the process's memory at the
 * end is compared with that after the first fifth. Ends with status 1 where any of that failed. To
 * be run in the folder of the sources; Linux only.
 *
 * <p>Options: {@code --requests} (200), {@code --at-once} (20), {@code --steps} (4), {@code
 * --minutes} (0).
 */
public final class ServerLoad {

  private static final String USAGE =
      "usage: ./benchmark serve [--requests N] [--at-once N] [--steps N] [--minutes N]";

  private static final int SIDE = 128;
  private static final double MEMORY_TOLERANCE = 0.05;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient client = HttpClient.newHttpClient();
  private final int atOnce;
  private final int steps;
  private boolean failed;

  private ServerLoad(int atOnce, int steps) {
    this.atOnce = atOnce;
    this.steps = steps;
  }

  /**
   * Runs the benchmark.
   *
   * @param arguments as above
   * @throws Exception if the server does not answer
   */
  public static void main(String[] arguments) throws Exception {
    Arguments given = Arguments.parse(arguments, USAGE);
    int requests = given.number("requests", 200);
    ServerLoad load = new ServerLoad(given.number("at-once", 20), given.number("steps", 4));
    int minutes = given.number("minutes", 0);
    given.finish();
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      if (minutes > 0) {
        load.soak(folder.path(), minutes);
      } else {
        load.compare(folder.path(), requests);
        load.kill(folder.path(), requests);
      }
    }
    System.exit(load.failed ? 1 : 0);
  }

  /** A server in a process of its own. */
  private static final class Server implements Closeable {

    private final Process process;
    private final String url;

    Server(Path data) throws IOException {
      process =
          new ProcessBuilder("./urae", "serve", "--port", "0", "--data", data.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
      String line = out.readLine();
      if (line == null || !line.contains(" on http://")) {
        throw new IOException("./urae serve said: " + line);
      }
      url = line.substring(line.indexOf("http://"));
    }

    @Override
    public void close() throws IOException {
      process.destroy();
      try {
        process.waitFor();
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
    }

    void kill() throws InterruptedException {
      process.destroyForcibly().waitFor();
    }

    long residentBytes() throws IOException {
      String status = Files.readString(Path.of("/proc/" + process.pid() + "/status"));
      return Long.parseLong(status.replaceAll("(?s).*VmRSS:\\s*(\\d+) kB.*", "$1")) << 10;
    }
  }

  private String order(int seed) {
    return "{\"prompt\":\"a sailing boat on the sea\",\"size\":\""
        + SIDE
        + "x"
        + SIDE
        + "\",\"steps\":"
        + steps
        + ",\"seed\":"
        + seed
        + "}";
  }

  private HttpResponse<String> post(Server server, String path, String body) throws Exception {
    return client.send(
        HttpRequest.newBuilder(URI.create(server.url + path))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private JsonNode get(Server server, String path) throws Exception {
    return JSON.readTree(
        client
            .send(
                HttpRequest.newBuilder(URI.create(server.url + path)).build(),
                HttpResponse.BodyHandlers.ofString())
            .body());
  }

  private void compare(Path folder, int requests) throws Exception {
    Path model = DemoModel.unpackInto(folder).checkpoint();
    try (FluxPipeline pipeline = FluxPipeline.builder().model(model).cacheFolder(folder).build();
        Server server = new Server(folder.resolve("load"))) {
      alone(pipeline, 20);
      answers(server, 20, 1_000_000);
      double[] latencies = new double[requests];
      double alone = 0;
      double served = 0;
      // In turns, since a machine's speed drifts.
      int parts = 4;
      for (int part = 0; part < parts; part++) {
        int count = requests / parts;
        alone += alone(pipeline, count);
        long begun = System.nanoTime();
        double[] seconds = answers(server, count, part * count);
        served += (System.nanoTime() - begun) / 1e9;
        System.arraycopy(seconds, 0, latencies, part * count, count);
      }
      Arrays.sort(latencies);
      System.out.printf(
          "%d pictures of %dx%d in %d steps: the library alone %.1f s (%.2f a second), %d callers"
              + " at once %.1f s (%.2f a second), %.1f %%; p50 %.2f s, p95 %.2f s%n",
          requests,
          SIDE,
          SIDE,
          steps,
          alone,
          requests / alone,
          atOnce,
          served,
          requests / served,
          100 * alone / served,
          latencies[requests / 2],
          latencies[requests * 95 / 100]);
      expectOnce(server, requests + 20);
    }
  }

  /** Draws and encodes as the server does. */
  private double alone(FluxPipeline pipeline, int count) throws IOException {
    long begun = System.nanoTime();
    try (TemporaryFolder folder = TemporaryFolder.create()) {
      for (int i = 0; i < count; i++) {
        pipeline
            .generate(
                GenerationRequest.builder("a sailing boat on the sea")
                    .size(SIDE, SIDE)
                    .steps(steps)
                    .seed(i)
                    .build())
            .get(0)
            .save(folder.path().resolve(i + ".png"));
      }
    }
    return (System.nanoTime() - begun) / 1e9;
  }

  /** Returns how long each caller waited; every picture must be another. */
  private double[] answers(Server server, int count, int firstSeed) throws Exception {
    double[] seconds = new double[count];
    Map<String, Integer> pictures = new TreeMap<>();
    ExecutorService callers = Executors.newFixedThreadPool(atOnce);
    try {
      List<Future<String>> answers = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int index = i;
        answers.add(
            callers.submit(
                () -> {
                  long begun = System.nanoTime();
                  HttpResponse<String> answer =
                      post(server, "/v1/images/generations", order(firstSeed + index));
                  seconds[index] = (System.nanoTime() - begun) / 1e9;
                  return JSON.readTree(answer.body()).at("/data/0/b64_json").asText();
                }));
      }
      for (Future<String> answer : answers) {
        pictures.merge(answer.get(), 1, Integer::sum);
      }
    } finally {
      callers.shutdown();
    }
    expect(pictures.size() == count && !pictures.containsKey(""), "a request was not answered");
    return seconds;
  }

  /** Looks whether there are so many jobs, each completed, each of another seed. */
  private void expectOnce(Server server, int count) throws Exception {
    Map<String, Integer> states = new TreeMap<>();
    Map<Long, Integer> seeds = new TreeMap<>();
    String before = "";
    for (JsonNode list = get(server, "/v1/jobs?limit=100"); ; list = get(server, before)) {
      JsonNode jobs = list.get("data");
      for (JsonNode job : jobs) {
        states.merge(job.get("status").asText(), 1, Integer::sum);
        seeds.merge(job.at("/settings/seed").asLong(), 1, Integer::sum);
        before = "/v1/jobs?limit=100&before=" + job.get("number").asLong();
      }
      if (!list.get("has_more").asBoolean()) {
        break;
      }
    }
    System.out.printf("jobs: %s, of %d seeds%n", states, seeds.size());
    expect(
        states.equals(Map.of("completed", count)) && seeds.size() == count,
        "a job was lost or drawn twice");
  }

  private void kill(Path folder, int requests) throws Exception {
    Path data = folder.resolve("kill");
    int submitted = Math.min(requests, 60);
    Server killed = new Server(data);
    try {
      for (int i = 0; i < submitted; i++) {
        expect(post(killed, "/v1/jobs", order(i)).statusCode() == 202, "a job was not taken");
      }
      while (completed(killed) < submitted / 3) {
        TimeUnit.MILLISECONDS.sleep(20);
      }
    } finally {
      killed.kill();
    }
    try (Server again = new Server(data)) {
      int already = completed(again);
      while (completed(again) < submitted) {
        TimeUnit.MILLISECONDS.sleep(100);
      }
      System.out.printf(
          "killed when %d of %d jobs were completed; the next process completed the others%n",
          already, submitted);
      expectOnce(again, submitted);
    }
  }

  private int completed(Server server) throws Exception {
    int count = 0;
    for (JsonNode job : get(server, "/v1/jobs?limit=100").get("data")) {
      count += job.get("status").asText().equals("completed") ? 1 : 0;
    }
    return count;
  }

  private void soak(Path folder, int minutes) throws Exception {
    try (Server server = new Server(folder.resolve("soak"))) {
      long begun = System.nanoTime();
      long end = begun + TimeUnit.MINUTES.toNanos(minutes);
      long warm = begun + (end - begun) / 5;
      long first = 0;
      int seed = 0;
      List<Long> last = new ArrayList<>();
      while (System.nanoTime() < end) {
        answers(server, atOnce, seed);
        seed += atOnce;
        long resident = server.residentBytes();
        if (first == 0 && System.nanoTime() > warm) {
          first = resident;
        }
        if (System.nanoTime() > end - (end - begun) / 5) {
          last.add(resident);
        }
      }
      long after = last.stream().mapToLong(Long::longValue).min().orElseThrow();
      System.out.printf(
          "%d requests in %d minutes: %d MB resident after a fifth of them, %d MB in the last%n",
          seed, minutes, first >> 20, after >> 20);
      expect(after < first * (1 + MEMORY_TOLERANCE), "memory grew");
    }
  }

  private void expect(boolean holds, String otherwise) {
    if (!holds) {
      failed = true;
      System.out.println("FAILED: " + otherwise);
    }
  }
}
