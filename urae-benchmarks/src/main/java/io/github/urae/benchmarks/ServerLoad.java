package io.github.urae.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import io.github.urae.demo.DemoModel;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.pipeline.FluxPipeline;
import java.io.IOException;
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
 * completed once. With {@code --minutes}, {@link ServerSoak} instead. Ends with status 1 where any
 * of that failed. To be run in the folder of the sources; Linux only.
 *
 * <p>Options: {@code --requests} (200), {@code --at-once} (20), {@code --steps} (4), {@code
 * --minutes} (0).
 */
public final class ServerLoad {

  private static final String USAGE =
      "usage: ./benchmark serve [--requests N] [--at-once N] [--steps N] [--minutes N]";

  private static final int SIDE = ServerProcess.SIDE;

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
        load.failed = !ServerSoak.run(folder.path(), minutes, load.atOnce, load.steps);
      } else {
        load.compare(folder.path(), requests);
        load.kill(folder.path(), requests);
      }
    }
    System.exit(load.failed ? 1 : 0);
  }

  private void compare(Path folder, int requests) throws Exception {
    Path model = DemoModel.unpackInto(folder).checkpoint();
    try (FluxPipeline pipeline = FluxPipeline.builder().model(model).cacheFolder(folder).build();
        ServerProcess server = new ServerProcess(folder.resolve("load"))) {
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
  private double[] answers(ServerProcess server, int count, int firstSeed) throws Exception {
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
                  String picture = server.picture(firstSeed + index, steps);
                  seconds[index] = (System.nanoTime() - begun) / 1e9;
                  return picture;
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
  private void expectOnce(ServerProcess server, int count) throws Exception {
    Map<String, Integer> states = new TreeMap<>();
    Map<Long, Integer> seeds = new TreeMap<>();
    String before = "";
    for (JsonNode list = server.get("/v1/jobs?limit=100"); ; list = server.get(before)) {
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
    ServerProcess killed = new ServerProcess(data);
    try {
      for (int i = 0; i < submitted; i++) {
        expect(
            killed.post("/v1/jobs", ServerProcess.order(i, steps)).statusCode() == 202,
            "a job was not taken");
      }
      while (completed(killed) < submitted / 3) {
        TimeUnit.MILLISECONDS.sleep(20);
      }
    } finally {
      killed.kill();
    }
    try (ServerProcess again = new ServerProcess(data)) {
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

  private int completed(ServerProcess server) throws Exception {
    int count = 0;
    for (JsonNode job : server.get("/v1/jobs?limit=100").get("data")) {
      count += job.get("status").asText().equals("completed") ? 1 : 0;
    }
    return count;
  }

  private void expect(boolean holds, String otherwise) {
    if (!holds) {
      failed = true;
      System.out.println("FAILED: " + otherwise);
    }
  }
}
