package io.github.urae.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * {@code ./urae serve} under constant load: so many callers, each of which asks for the next
 * picture as soon as it has one, until the time is over. Every request must be answered once with a
 * picture of its own, and the server have as many jobs as there were requests.
 *
 * <p>The warm-up takes a sixth of the time, ten minutes of an hour. After it the process is looked
 * at 21 times: of its resident memory, and of what of that is no file's, the median of the last
 * third may be at most 5 % above that of the first. The same holds for what of Java's heap is left
 * by a collection. That is asked for late in the warm-up and at the end, while callers pause, and
 * at no time between, where it would help.
 */
final class ServerSoak {

  private static final double TOLERANCE = 0.05;

  /** Times that the process is looked at after the warm-up. */
  private static final int SAMPLES = 20;

  private static final int COLLECTIONS = 3;

  private static final double MB = 1 << 20;

  private final ServerProcess server;
  private final int atOnce;
  private final int steps;
  private final AtomicInteger asked = new AtomicInteger();
  private final Set<String> pictures = ConcurrentHashMap.newKeySet();
  private final ConcurrentLinkedQueue<Double> seconds = new ConcurrentLinkedQueue<>();
  private final ConcurrentLinkedQueue<String> failures = new ConcurrentLinkedQueue<>();

  /** Callers hold it for reading while they wait for an answer. */
  private final ReadWriteLock pause = new ReentrantReadWriteLock(true);

  private volatile boolean over;

  private ServerSoak(ServerProcess server, int atOnce, int steps) {
    this.server = server;
    this.atOnce = atOnce;
    this.steps = steps;
  }

  /**
   * Runs it, and prints what was found.
   *
   * @return whether memory was flat and no request lost or doubled
   */
  static boolean run(Path folder, int minutes, int atOnce, int steps) throws Exception {
    try (ServerProcess server = new ServerProcess(folder.resolve("soak"))) {
      return new ServerSoak(server, atOnce, steps).run(TimeUnit.MINUTES.toNanos(minutes));
    }
  }

  /**
   * The server's process at a moment.
   *
   * @param resident megabytes in RAM
   * @param anonymous of them, what is no file's
   * @param threads threads
   * @param files open files
   */
  private record State(double resident, double anonymous, long threads, long files) {

    static State of(long process) throws IOException {
      double anonymous = AnonymousMemory.megabytes(process);
      return new State(
          anonymous + AnonymousMemory.mappedMegabytes(process),
          anonymous,
          entries(process, "task"),
          entries(process, "fd"));
    }

    private static long entries(long process, String folder) throws IOException {
      try (Stream<Path> entries = Files.list(Path.of("/proc", Long.toString(process), folder))) {
        return entries.count();
      }
    }
  }

  /** Lets callers pause; returns the least of some, since the server has work of its own. */
  private double liveHeap() throws IOException, InterruptedException {
    pause.writeLock().lock();
    try {
      double least = Double.POSITIVE_INFINITY;
      for (int i = 0; i < COLLECTIONS; i++) {
        least = Math.min(least, heapAfterCollection());
      }
      return least;
    } finally {
      pause.writeLock().unlock();
    }
  }

  /** A histogram of live objects begins with a collection, and ends with their bytes. */
  private double heapAfterCollection() throws IOException, InterruptedException {
    Process jcmd =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                Long.toString(server.pid()),
                "GC.class_histogram")
            .redirectErrorStream(true)
            .start();
    String said = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    jcmd.waitFor();
    return said.lines()
        .filter(line -> line.startsWith("Total"))
        .mapToDouble(line -> Double.parseDouble(line.strip().split("\\s+", -1)[2]) / MB)
        .findFirst()
        .orElseThrow(() -> new IOException("jcmd said: " + said));
  }

  private boolean run(long nanos) throws Exception {
    long begun = System.nanoTime();
    long warm = nanos / 6;
    List<State> states = new ArrayList<>();
    double heapBefore = Double.NaN;
    double heapAfter = Double.NaN;
    System.out.println("minute | requests | resident MB | anonymous | threads | files");
    ExecutorService callers = Executors.newFixedThreadPool(atOnce);
    try {
      for (int i = 0; i < atOnce; i++) {
        callers.execute(this::call);
      }
      // The heap has the rest of the warm-up to become as large again as it was.
      sleepUntil(begun + warm * 2 / 3);
      heapBefore = server.isAlive() ? liveHeap() : Double.NaN;
      for (int i = 0; i <= SAMPLES && server.isAlive(); i++) {
        sleepUntil(begun + warm + (nanos - warm) * i / SAMPLES);
        State state = State.of(server.pid());
        states.add(state);
        System.out.printf(
            Locale.ROOT,
            "%6.1f | %8d | %11.1f | %9.1f | %7d | %5d%n",
            (System.nanoTime() - begun) / 6e10,
            seconds.size(),
            state.resident(),
            state.anonymous(),
            state.threads(),
            state.files());
      }
      heapAfter = server.isAlive() ? liveHeap() : Double.NaN;
    } finally {
      over = true;
      callers.shutdown();
      callers.awaitTermination(5, TimeUnit.MINUTES);
    }
    // All is told, whatever comes first.
    boolean holds = areAnswered((System.nanoTime() - begun) / 6e10);
    holds &= isFlat("resident", states, State::resident);
    holds &= isFlat("anonymous", states, State::anonymous);
    holds &= isFlat("Java's heap after a collection", heapBefore, heapAfter);
    return holds;
  }

  private static void sleepUntil(long due) throws InterruptedException {
    TimeUnit.NANOSECONDS.sleep(due - System.nanoTime());
  }

  /** Asks again and again. */
  private void call() {
    while (!over) {
      pause.readLock().lock();
      try {
        ask();
      } finally {
        pause.readLock().unlock();
      }
    }
  }

  private void ask() {
    int seed = asked.getAndIncrement();
    long begun = System.nanoTime();
    try {
      String picture = server.picture(seed, steps);
      if (picture.isEmpty()) {
        failures.add("request " + seed + " was not answered with a picture");
      } else if (!pictures.add(digest(picture))) {
        failures.add("request " + seed + " was answered with another's picture");
      }
      seconds.add((System.nanoTime() - begun) / 1e9);
    } catch (IOException | RuntimeException e) {
      failures.add("request " + seed + ": " + e);
      over = over || !server.isAlive();
    } catch (InterruptedException e) {
      over = true;
    }
  }

  /** In place of the picture, of which there are thousands. */
  private static String digest(String picture) {
    try {
      byte[] bytes = picture.getBytes(StandardCharsets.US_ASCII);
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private boolean areAnswered(double minutes) throws IOException, InterruptedException {
    int requests = asked.get();
    double[] sorted = seconds.stream().mapToDouble(d -> d).sorted().toArray();
    System.out.printf(
        Locale.ROOT,
        "%d requests by %d callers at once in %.1f minutes, %d different pictures of"
            + " %dx%d; p50 %.2f s, p95 %.2f s%n",
        requests,
        atOnce,
        minutes,
        pictures.size(),
        ServerProcess.SIDE,
        ServerProcess.SIDE,
        sorted.length == 0 ? Double.NaN : sorted[sorted.length / 2],
        sorted.length == 0 ? Double.NaN : sorted[sorted.length * 95 / 100]);
    if (!server.isAlive()) {
      failures.add("the server's process has ended");
    } else {
      checkJobs(requests);
    }
    failures.stream().limit(20).forEach(failure -> System.out.println("FAILED: " + failure));
    return failures.isEmpty();
  }

  /** Jobs are numbered one by one; of those that are kept, each is completed, and of one seed. */
  private void checkJobs(int requests) throws IOException, InterruptedException {
    Set<Long> seeds = new TreeSet<>();
    long newest = 0;
    int kept = 0;
    String path = "/v1/jobs?limit=100";
    while (path != null) {
      JsonNode list = server.get(path);
      path = null;
      for (JsonNode job : list.get("data")) {
        long number = job.get("number").asLong();
        newest = Math.max(newest, number);
        kept++;
        seeds.add(job.at("/settings/seed").asLong());
        if (!job.get("status").asText().equals("completed")) {
          failures.add("job " + number + " is " + job.get("status").asText());
        }
        path = list.get("has_more").asBoolean() ? "/v1/jobs?limit=100&before=" + number : null;
      }
    }
    System.out.printf("%d jobs, %d of them kept, of %d seeds%n", newest, kept, seeds.size());
    if (newest != requests || seeds.size() != kept) {
      failures.add("a request was lost or drawn twice");
    }
  }

  private static boolean isFlat(String what, List<State> states, ToDoubleFunction<State> measure) {
    if (states.size() <= SAMPLES) {
      return false;
    }
    int third = states.size() / 3;
    return isFlat(
        what,
        median(states.subList(0, third), measure),
        median(states.subList(states.size() - third, states.size()), measure));
  }

  private static boolean isFlat(String what, double before, double after) {
    // Not where either is unknown.
    boolean flat = after <= before * (1 + TOLERANCE);
    System.out.printf(
        Locale.ROOT,
        "%s%s: %.1f MB after the warm-up, %.1f at the end, %+.1f %%%n",
        flat ? "" : "FAILED: ",
        what,
        before,
        after,
        100 * (after / before - 1));
    return flat;
  }

  private static double median(List<State> states, ToDoubleFunction<State> measure) {
    double[] sorted = states.stream().mapToDouble(measure).toArray();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
