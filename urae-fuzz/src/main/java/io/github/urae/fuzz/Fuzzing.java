package io.github.urae.fuzz;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Long runs: each target in a process of its own, with Jazzer, 512 MB of heap and 5 seconds of
 * processor time for an input. A process that ends early, by a hang or in native code, counts as a
 * finding and is started again.
 */
public final class Fuzzing {

  private static final String USAGE =
      "usage: ./benchmark fuzz [--minutes N] [--target NAME[,NAME ...]] [--processes N]"
          + " [--folder DIR]\n"
          + "       ./benchmark fuzz --list\n"
          + "minutes: of all targets together, 10 by default; folder: where corpus and findings"
          + " are kept, ./fuzz by default";

  /** For what waits and takes no processor time; {@link JazzerEntry} ends what takes 5 seconds. */
  private static final int SECONDS_FOR_AN_INPUT = 60;

  private static final int MOST_FINDINGS = 20;

  private static final Pattern PROGRESS = Pattern.compile("#(\\d+)\\s.*cov: (\\d+).*");
  private static final Pattern FINDING =
      Pattern.compile("== Java (?:Exception|Assertion Error): (.*)");
  private static final Pattern SAVED = Pattern.compile("Test unit written to (.*)");

  /** What became of a target. */
  private record Summary(String target, long executions, long coverage, List<String> findings) {

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%-24s %,12d executions  %6d edges  %3d findings",
          target,
          executions,
          coverage,
          findings.size());
    }
  }

  private final Path folder;

  private Fuzzing(Path folder) {
    this.folder = folder;
  }

  /**
   * Fuzzes.
   *
   * @param arguments options
   * @throws Exception if a process cannot be started
   */
  public static void main(String[] arguments) throws Exception {
    double minutes = 10;
    int processes = 1;
    Path folder = Path.of("fuzz");
    List<String> targets = List.copyOf(FuzzTargets.names());
    if (arguments.length == 1 && arguments[0].equals("--list")) {
      targets.forEach(System.out::println);
      return;
    }
    for (int i = 0; i < arguments.length; i += 2) {
      String value = i + 1 < arguments.length ? arguments[i + 1] : "";
      switch (arguments[i]) {
        case "--minutes" -> minutes = Double.parseDouble(value);
        case "--processes" -> processes = Integer.parseInt(value);
        case "--folder" -> folder = Path.of(value);
        case "--target" -> targets = List.of(value.split(","));
        default -> throw new IllegalArgumentException(arguments[i] + "\n" + USAGE);
      }
    }
    if (!FuzzTargets.names().containsAll(targets)) {
      throw new IllegalArgumentException("targets: " + FuzzTargets.names() + "\n" + USAGE);
    }
    Duration each =
        Duration.ofSeconds(Math.max(1, Math.round(minutes * 60 * processes / targets.size())));
    System.exit(new Fuzzing(folder.toAbsolutePath()).run(targets, each, processes) ? 0 : 1);
  }

  private boolean run(List<String> targets, Duration each, int processes)
      throws InterruptedException, ExecutionException {
    System.out.printf(
        Locale.ROOT,
        "%d targets, %d s each, %d at a time; findings under %s%n",
        targets.size(),
        each.toSeconds(),
        processes,
        folder);
    ExecutorService workers = Executors.newFixedThreadPool(processes);
    try {
      List<Future<Summary>> summaries = new ArrayList<>();
      for (String target : targets) {
        summaries.add(workers.submit(() -> printed(fuzz(target, each))));
      }
      long executions = 0;
      int findings = 0;
      for (Future<Summary> summary : summaries) {
        executions += summary.get().executions();
        findings += summary.get().findings().size();
      }
      System.out.printf(Locale.ROOT, "%,d executions, %d findings%n", executions, findings);
      return findings == 0;
    } finally {
      workers.shutdownNow();
    }
  }

  private static Summary printed(Summary summary) {
    System.out.println(summary);
    summary.findings().forEach(finding -> System.out.println("    " + finding));
    return summary;
  }

  private Summary fuzz(String target, Duration duration) throws IOException, InterruptedException {
    Path corpus = Files.createDirectories(folder.resolve("corpus").resolve(target));
    Path seeds = Files.createTempDirectory("urae-fuzz-seeds");
    Path findings = Files.createDirectories(folder.resolve("findings").resolve(target));
    Summary summary = new Summary(target, 0, 0, new ArrayList<>());
    try {
      writeSeeds(target, seeds);
      Instant end = Instant.now().plus(duration);
      while (Instant.now().isBefore(end) && summary.findings().size() < MOST_FINDINGS) {
        Path work = Files.createTempDirectory("urae-fuzz");
        try {
          long seconds = Math.max(1, Duration.between(Instant.now(), end).toSeconds());
          summary = runOnce(summary, seconds, work, List.of(corpus, seeds), findings);
        } finally {
          delete(work);
        }
      }
      return summary;
    } finally {
      delete(seeds);
    }
  }

  private static void writeSeeds(String target, Path folder) throws IOException {
    Path work = Files.createTempDirectory("urae-fuzz");
    try {
      int number = 0;
      for (byte[] seed : FuzzTargets.open(target, work).seeds()) {
        Files.write(folder.resolve("seed-" + number++), seed);
      }
    } finally {
      delete(work);
    }
    for (Map.Entry<String, byte[]> input : StoredInputs.of(target).entrySet()) {
      Files.write(folder.resolve(input.getKey()), input.getValue());
    }
  }

  /** Runs one process to its end, and adds what it did. */
  private static Summary runOnce(
      Summary before, long seconds, Path work, List<Path> inputs, Path findings)
      throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "-XX:+IgnoreUnrecognizedVMOptions",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+EnableDynamicAgentLoading",
                "-XX:ErrorFile=" + findings.resolve("hs_err_%p.log"),
                "-Djava.awt.headless=true",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
                "-cp",
                System.getProperty("java.class.path"),
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + JazzerEntry.class.getName(),
                "--target_args=" + before.target() + " " + work,
                "--instrumentation_includes=io.github.urae.**",
                "--instrumentation_excludes=io.github.urae.fuzz.**",
                "--keep_going=" + MOST_FINDINGS,
                "--reproducer_path=" + work,
                "-timeout=" + SECONDS_FOR_AN_INPUT,
                "-max_total_time=" + seconds,
                "-max_len=" + JazzerEntry.MAX_INPUT_BYTES,
                "-rss_limit_mb=3000",
                "-print_final_stats=1",
                "-artifact_prefix=" + findings + "/"));
    inputs.forEach(input -> command.add(input.toString()));
    Process process =
        new ProcessBuilder(command).directory(work.toFile()).redirectErrorStream(true).start();
    Thread end = new Thread(process::destroyForcibly, "end of " + before.target());
    Runtime.getRuntime().addShutdownHook(end);
    long executions = 0;
    long coverage = before.coverage();
    List<String> found = new ArrayList<>(before.findings());
    String problem = null;
    int saved = 0;
    Path log = findings.resolve("log.txt");
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
        var lines = Files.newBufferedWriter(log)) {
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        lines.write(line);
        lines.newLine();
        Matcher progress = PROGRESS.matcher(line);
        Matcher finding = FINDING.matcher(line);
        Matcher file = SAVED.matcher(line);
        if (progress.matches()) {
          executions = Long.parseLong(progress.group(1));
          coverage = Math.max(coverage, Long.parseLong(progress.group(2)));
        } else if (finding.matches()) {
          problem = finding.group(1);
        } else if (line.contains("ERROR: libFuzzer: ")) {
          problem = line.substring(line.indexOf("libFuzzer: "));
        } else if (file.find()) {
          saved++;
          found.add((problem == null ? "?" : problem) + ": " + file.group(1));
          problem = null;
        }
      }
    }
    int status = process.waitFor();
    Runtime.getRuntime().removeShutdownHook(end);
    if (status != 0 && saved == 0) {
      Path kept = findings.resolve("ended-" + HexFormat.of().toHexDigits(System.nanoTime()));
      keepLastInput(work, kept);
      Files.move(log, Path.of(kept + ".log"), StandardCopyOption.REPLACE_EXISTING);
      found.add(
          (problem == null ? "the process ended with status " + status : problem) + ": " + kept);
    }
    return new Summary(before.target(), before.executions() + executions, coverage, found);
  }

  /** Native code ended the process: what it was given lies in a mapped file. */
  private static void keepLastInput(Path work, Path kept) throws IOException {
    Path last = work.resolve(JazzerEntry.LAST_INPUT);
    if (Files.exists(last)) {
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(last));
      byte[] input = new byte[bytes.getInt()];
      bytes.get(input);
      Files.write(kept, input);
    }
  }

  private static void delete(Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> walk = Files.walk(folder)) {
      files = walk.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path file : files) {
      Files.delete(file);
    }
  }
}
