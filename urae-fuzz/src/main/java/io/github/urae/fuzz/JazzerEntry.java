package io.github.urae.fuzz;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;

/** What Jazzer calls, in a process of its own for each target. */
public final class JazzerEntry {

  /** Inputs up to this size are kept for a process that native code ends. */
  static final int MAX_INPUT_BYTES = 1 << 18;

  static final String LAST_INPUT = "last-input";

  private static final ThreadMXBean TIMES = ManagementFactory.getThreadMXBean();

  /** Of the thread that reads, so that a busy machine makes no findings. */
  private static final Duration LONGEST = Duration.ofSeconds(5);

  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(500);

  private static final int HANGS = 70;

  private static FuzzTarget target;
  private static MappedByteBuffer lastInput;

  /** Processor time of the reading thread when the present input began; -1 between inputs. */
  private static volatile long begun = -1;

  private JazzerEntry() {}

  /**
   * Opens the target.
   *
   * @param arguments its name, and a folder of its own
   * @throws IOException if it cannot be set up
   */
  public static void fuzzerInitialize(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[1]);
    target = FuzzTargets.open(arguments[0], folder);
    try (FileChannel file =
        FileChannel.open(
            folder.resolve(LAST_INPUT),
            StandardOpenOption.CREATE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      lastInput =
          file.map(FileChannel.MapMode.READ_WRITE, 0, Integer.BYTES + (long) MAX_INPUT_BYTES);
    }
    Thread reading = Thread.currentThread();
    Thread watch = new Thread(() -> watch(reading), "watch");
    watch.setDaemon(true);
    watch.start();
  }

  /** Ends the process when an input takes too long. */
  private static void watch(Thread reading) {
    try {
      while (true) {
        Thread.sleep(BETWEEN_LOOKS.toMillis());
        long before = begun;
        long taken = TIMES.getThreadCpuTime(reading.getId()) - before;
        if (before >= 0 && taken > LONGEST.toNanos() && begun == before) {
          System.err.println("== Java Exception: an input takes more than " + LONGEST);
          for (StackTraceElement element : reading.getStackTrace()) {
            System.err.println("\tat " + element);
          }
          Runtime.getRuntime().halt(HANGS);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Runs one input.
   *
   * @param input as of {@link FuzzTarget#run(byte[])}
   */
  public static void fuzzerTestOneInput(byte[] input) {
    int kept = Math.min(input.length, MAX_INPUT_BYTES);
    lastInput.putInt(0, kept).put(Integer.BYTES, input, 0, kept);
    begun = TIMES.getCurrentThreadCpuTime();
    try {
      target.run(input);
    } finally {
      begun = -1;
    }
  }
}
