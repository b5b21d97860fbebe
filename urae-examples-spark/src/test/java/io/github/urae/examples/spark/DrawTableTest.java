package io.github.urae.examples.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.urae.flux.GenerationRequest;
import io.github.urae.image.RgbImage;
import io.github.urae.testkit.TestData;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DrawTableTest {

  private static final int ROWS = 12;

  /** A job may be done before it is killed. */
  private static final int TRIES = 5;

  @TempDir Path folder;

  /** The job in a process of its own is killed after its first chunk; here it is started again. */
  @Test
  void everyRowIsDrawnOnceThoughTheJobIsKilled() throws Exception {
    Path requests = folder.resolve("requests.json");
    Files.write(requests, lines());
    Path results = folder.resolve("results");
    killAfterFirstChunk(requests, results);
    try (SparkSession spark = session()) {
      long early = spark.read().parquet(results.toString()).count();
      for (int tries = 1; early == ROWS && tries < TRIES; tries++) {
        results = folder.resolve("results-" + tries);
        killAfterFirstChunk(requests, results);
        early = spark.read().parquet(results.toString()).count();
      }
      assertThat(early).isBetween(1L, ROWS - 1L);
      Map<String, Object> before = files(results);
      leaveTask(results, before.keySet());
      DrawTable job = new DrawTable(spark, TestData.checkpoint().toString(), 4);
      job.draw(requests.toString(), results.toString());
      assertThat(files(results)).containsAllEntriesOf(before);
      check(spark.read().parquet(results.toString()).orderBy("id").collectAsList());
      Map<String, Object> all = files(results);
      job.draw(requests.toString(), results.toString());
      assertThat(files(results)).isEqualTo(all);

      checkOddTables(spark, job);
    }
  }

  private void killAfterFirstChunk(Path requests, Path results) throws Exception {
    Process killed = start(requests, results);
    try {
      long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(10);
      while (killed.isAlive() && chunks(results) == 0) {
        assertThat(System.nanoTime() - end).as("nanoseconds beyond patience").isNegative();
        Thread.sleep(20);
      }
    } finally {
      killed.destroyForcibly();
      assertThat(killed.waitFor(5, TimeUnit.MINUTES)).isTrue();
    }
    assertThat(chunks(results)).isPositive();
  }

  /** In the session that is there: another takes seconds. */
  private void checkOddTables(SparkSession spark, DrawTable job) throws Exception {
    // As a table of pandas: whole numbers with a fraction, since some are missing; capitals.
    Path table = folder.resolve("requests");
    spark
        .sql(
            """
            SELECT * FROM VALUES
              ('a', 'a red circle', 64.0D, 64L, 1, 7.0D, 'aside'),
              ('b', 'a red circle', 64.5D, 64L, 1, NULL, NULL),
              ('c', 'a red circle', -64.0D, 64L, 1, NULL, NULL),
              ('d', NULL, 64.0D, 64L, 1, NULL, NULL),
              ('e', 'a red circle', 1e300D, 64L, 1, NULL, NULL)
              AS t(Id, PROMPT, width, height, steps, seed, other)\
            """)
        .write()
        .parquet(table.toString());
    assertThat(results(spark, job, table, "drawn"))
        .hasEntrySatisfying("a", row -> assertThat(row.<String>getAs("error")).isNull())
        .hasEntrySatisfying("b", row -> assertError(row, "width: expected a whole number, found"))
        .hasEntrySatisfying("c", row -> assertError(row, "width: expected a positive multiple"))
        .hasEntrySatisfying("d", row -> assertError(row, "expected a prompt or a request"))
        .hasEntrySatisfying("e", row -> assertError(row, "width: expected a whole number, found"))
        .hasSize(5);

    Path lines = folder.resolve("lines.json");
    Files.writeString(
        lines,
        """
        {"id":1,"prompt":"a","width":"64","height":" 64 ","steps":"1","seed":18446744073709551615}
        {"id":2,"request":{"prompts":{"texts":["a"]},"width":64,"height":64,"sampling":{"steps":1}}}
        {"id":3,"prompt":null}
        {"id":4,"prompt":["a"],"width":true}
        {"id":5,"promt":"a"}

        null
        5
        """);
    Map<String, Row> drawn = results(spark, job, lines, "lines");
    assertThat(drawn)
        .hasSize(7)
        .hasEntrySatisfying("1", row -> assertThat(row.<String>getAs("error")).isNull())
        .hasEntrySatisfying("3", row -> assertError(row, "expected a prompt or a request"))
        .hasEntrySatisfying("4", row -> assertError(row, "width: expected a whole number"))
        .hasEntrySatisfying("5", row -> assertError(row, "expected a prompt or a request"));
    assertThat(GenerationRequest.fromJson(drawn.get("1").getAs("request")).seeds())
        .hasToString("18446744073709551615");

    // Nothing that can be read, the same lines twice, and more rows in turn that no engine can
    // draw.
    Path bad = folder.resolve("bad.json");
    Files.writeString(bad, "{\n{\n{\n");
    assertThat(results(spark, job, bad, "bad").values())
        .hasSize(3)
        .allSatisfy(row -> assertError(row, "row: expected JSON, found '{'"));
    Path wild = folder.resolve("wild.json");
    Files.writeString(
        wild,
        "{\"prompt\":\"a\",\"width\":64,\"height\":64,\"steps\":1,\"guidance\":1e38}\n".repeat(8));
    assertThat(results(spark, job, wild, "wild").values())
        .hasSize(8)
        .allSatisfy(row -> assertError(row, "guidance"));

    Path none = Files.createFile(folder.resolve("none.json"));
    assertThat(results(spark, job, none, "none")).isEmpty();
    assertThat(results(spark, job, none, "none")).isEmpty();

    Path twice = folder.resolve("twice.json");
    Files.writeString(twice, "{\"id\":\"a\",\"prompt\":\"b\"}\n".repeat(2));
    assertThatThrownBy(() -> job.draw(twice.toString(), folder.resolve("drawn").toString()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("id for each row");
    assertThatThrownBy(() -> new DrawTable(spark, "model", 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private Map<String, Row> results(SparkSession spark, DrawTable job, Path requests, String name)
      throws IOException {
    String results = folder.resolve("of-" + name).toString();
    job.draw(requests.toString(), results);
    Map<String, Row> rows = new TreeMap<>();
    for (Row row : spark.read().parquet(results).collectAsList()) {
      assertThat(rows.put(row.getAs("id"), row)).isNull();
    }
    return rows;
  }

  private static void assertError(Row row, String part) {
    assertThat(row.<String>getAs("error")).contains(part);
    assertThat(row.<byte[]>getAs("picture")).isNull();
  }

  /** As a job leaves it that is killed when a task has ended and another has not. */
  private static void leaveTask(Path results, Set<String> parts) throws IOException {
    Path task =
        results.resolve("_temporary/0/task_202611262200001234567890123456789_0001_m_000000");
    Files.createDirectories(task);
    for (String part : parts) {
      Files.copy(results.resolve(part), task.resolve("left-" + part));
    }
  }

  private static List<String> lines() {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < ROWS - 5; i++) {
      lines.add(
          "{\"id\":\"%02d\",\"prompt\":\"a red circle\",\"width\":64,\"height\":64,\"steps\":2,\"seed\":%d}"
              .formatted(i, i));
    }
    lines.add(
        "{\"id\":\"07\",\"prompt\":\"a\",\"width\":64,\"height\":64,\"steps\":1,\"guidance\":1e38}");
    String request =
        GenerationRequest.builder("a star").size(64, 64).steps(1).seed(3).build().toJson();
    lines.add("{\"id\":\"08\",\"request\":\"" + request.replace("\"", "\\\"") + "\"}");
    lines.add("{\"id\":\"09\",\"prompt\":\"a\",\"width\":65}");
    lines.add("{\"id\":\"10\",\"prompt\":\"a\",\"steps\":\"many\"}");
    lines.add("{\"id\":\"11\"");
    return lines;
  }

  private static void check(List<Row> rows) throws IOException {
    assertThat(rows).hasSize(ROWS);
    Map<String, String> errors = new TreeMap<>();
    for (Row row : rows) {
      String error = row.getAs("error");
      byte[] picture = row.getAs("picture");
      if (error != null) {
        errors.put(row.getAs("id"), error);
        assertThat(picture).isNull();
        continue;
      }
      assertThat(RgbImage.read(new ByteArrayInputStream(picture), "picture"))
          .hasToString("64x64 pixels");
      GenerationRequest request = GenerationRequest.fromJson(row.getAs("request"));
      int id = Integer.parseInt(row.getAs("id"));
      assertThat(request.seeds()).hasToString(Integer.toString(id == 8 ? 3 : id));
    }
    assertThat(rows.stream().map(row -> row.<String>getAs("id")).distinct()).hasSize(ROWS);
    assertThat(errors.values())
        .hasSize(4)
        .anyMatch(error -> error.contains("width: expected a positive multiple of 16"))
        .anyMatch(error -> error.contains("steps: expected a whole number, found 'many'"))
        .anyMatch(error -> error.contains("guidance"))
        .anyMatch(error -> error.contains("row: expected JSON"));
  }

  private static SparkSession session() {
    return SparkSession.builder()
        .master("local[2]")
        .config("spark.ui.enabled", false)
        .config("spark.sql.shuffle.partitions", 2)
        .config("spark.sql.codegen.wholeStage", false)
        .config("spark.sql.adaptive.enabled", false)
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate();
  }

  private Process start(Path requests, Path results) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--add-opens"))
        .forEach(command::add);
    command.addAll(
        List.of(
            "-XX:TieredStopAtLevel=1",
            "-Dspark.master=local[2]",
            "-Dspark.ui.enabled=false",
            "-Dspark.sql.shuffle.partitions=2",
            "-Dspark.sql.codegen.wholeStage=false",
            "-Dspark.sql.adaptive.enabled=false",
            "-Dspark.driver.host=127.0.0.1",
            "-Dspark.driver.bindAddress=127.0.0.1",
            "-Djava.io.tmpdir=" + folder,
            "-cp",
            System.getProperty("java.class.path"),
            DrawTable.class.getName(),
            requests.toString(),
            results.toString(),
            TestData.checkpoint().toString(),
            "2"));
    return new ProcessBuilder(command).inheritIO().start();
  }

  private static long chunks(Path results) throws IOException {
    return files(results).size();
  }

  /** Parts that are visible, with what tells one writing from another. */
  private static Map<String, Object> files(Path results) throws IOException {
    Map<String, Object> files = new TreeMap<>();
    if (!Files.isDirectory(results)) {
      return files;
    }
    try (Stream<Path> entries = Files.list(results)) {
      for (Path file : entries.toList()) {
        String name = file.getFileName().toString();
        if (name.endsWith(".parquet")) {
          files.put(name, Files.getLastModifiedTime(file));
        }
      }
    }
    return files;
  }
}
