package io.github.urae.benchmarks;

import io.github.urae.onnx.internal.session.NativeHeap;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * What this process holds at a moment, after what was freed or is garbage has gone back.
 *
 * @param resident anonymous memory in RAM, MB: Java's heap and all that native code has
 * @param heap of it, what Java's heap uses, MB
 * @param java of it, what the virtual machine has of its own: classes, compiled code, threads, MB
 * @param direct direct buffers, MB
 * @param inUse what native code has from the C library and has not freed, MB
 * @param sessions ONNX Runtime sessions that somebody refers to
 * @param threads threads, native ones as well
 * @param files open file descriptors
 * @param mappings mapped regions of its address space
 */
record ProcessState(
    double resident,
    double heap,
    double java,
    double direct,
    double inUse,
    long sessions,
    long threads,
    long files,
    long mappings) {

  private static final double MB = 1 << 20;
  private static final long PAUSE_MILLIS = 200;
  private static final Path SELF = Path.of("/proc/self");

  /** Looks at this process. It must run on Linux, with {@code -XX:NativeMemoryTracking=summary}. */
  static ProcessState now() {
    // Direct buffers are freed by a thread of Java's, some time after the collection.
    for (int i = 0; i < 3; i++) {
      System.gc();
      pause();
    }
    NativeHeap.trim();
    long sessions = liveSessions();
    double direct = 0;
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      if (pool.getName().equals("direct")) {
        direct += pool.getMemoryUsed() / MB;
      }
    }
    return new ProcessState(
        AnonymousMemory.megabytes(),
        ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed() / MB,
        committedByJava(),
        direct,
        CHeap.inUse() / MB,
        sessions,
        entries(SELF.resolve("task")),
        entries(SELF.resolve("fd")),
        lines(SELF.resolve("maps")));
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static long liveSessions() {
    return diagnostic("gcClassHistogram")
        .lines()
        .filter(line -> line.strip().endsWith("ai.onnxruntime.OrtSession"))
        .mapToLong(line -> Long.parseLong(line.strip().split("\\s+", -1)[1]))
        .sum();
  }

  /** Native memory tracking counts all that is committed; the heap is left out. */
  private static double committedByJava() {
    String summary = diagnostic("vmNativeMemory", "summary", "scale=KB");
    double total = kilobytes(summary, "Total:");
    return (total - kilobytes(summary, "Java Heap (")) / 1024;
  }

  private static double kilobytes(String summary, String category) {
    return summary
        .lines()
        .filter(line -> line.contains(category))
        .mapToDouble(
            line -> {
              String committed = line.substring(line.indexOf("committed=") + "committed=".length());
              return Double.parseDouble(committed.substring(0, committed.indexOf("KB")));
            })
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no " + category + " in " + summary));
  }

  private static String diagnostic(String command, String... arguments) {
    try {
      return (String)
          ManagementFactory.getPlatformMBeanServer()
              .invoke(
                  new ObjectName("com.sun.management:type=DiagnosticCommand"),
                  command,
                  new Object[] {arguments},
                  new String[] {String[].class.getName()});
    } catch (JMException e) {
      throw new IllegalStateException(command, e);
    }
  }

  private static long entries(Path folder) {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long lines(Path file) {
    try (Stream<String> lines = Files.lines(file)) {
      return lines.count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static final List<String> COLUMNS =
      List.of(
          "resident MB",
          "heap used",
          "JVM's own",
          "direct",
          "C in use",
          "sessions",
          "threads",
          "files",
          "mappings");

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%11.1f | %9.1f | %9.1f | %6.1f | %8.1f | %8d | %7d | %5d | %8d",
        resident,
        heap,
        java,
        direct,
        inUse,
        sessions,
        threads,
        files,
        mappings);
  }
}
