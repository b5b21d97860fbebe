package io.github.urae.cli;

import io.github.urae.testkit.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The command in a process of its own. Both outputs are read, as one. */
final class CommandProcess implements AutoCloseable {

  private static final int SIGINT = 2;

  private final Process process;
  private final ByteArrayOutputStream said = new ByteArrayOutputStream();
  private final Thread reader;

  private CommandProcess(Process process) {
    this.process = process;
    reader = new Thread(this::read);
    reader.start();
  }

  /** Starts the command with arguments and the tests' cache. */
  static CommandProcess start(List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add("io.github.urae.cli.UraeCommand");
    command.addAll(arguments);
    command.addAll(List.of("--cache-dir", TestData.CACHE.toString()));
    return new CommandProcess(new ProcessBuilder(command).redirectErrorStream(true).start());
  }

  /**
   * Tells whether Ctrl-C ends processes that this one starts: jobs in a shell's background ignore
   * it.
   */
  static boolean hearsInterrupts() throws IOException {
    String ignored =
        Files.readAllLines(Path.of("/proc/self/status")).stream()
            .filter(line -> line.startsWith("SigIgn:"))
            .map(line -> line.substring("SigIgn:".length()).trim())
            .findFirst()
            .orElse("0");
    return (Long.parseUnsignedLong(ignored, 16) & 1L << (SIGINT - 1)) == 0;
  }

  private void read() {
    try {
      byte[] piece = new byte[4096];
      for (int n; (n = process.getInputStream().read(piece)) >= 0; ) {
        said.write(piece, 0, n);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns what it has said so far. */
  String said() {
    return said.toString(StandardCharsets.UTF_8);
  }

  /** Tells whether it has a thread whose name begins so, by its first 15 letters. */
  boolean hasThread(String name) {
    try (Stream<Path> tasks = Files.list(Path.of("/proc/" + process.pid() + "/task"))) {
      for (Path task : tasks.toList()) {
        if (Files.readString(task.resolve("comm")).startsWith(name)) {
          return true;
        }
      }
    } catch (IOException | UncheckedIOException e) {
      return false; // It or the thread has just ended.
    }
    return false;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  void signal(String name) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  /** Waits for the end and returns the exit status. */
  int status() throws InterruptedException {
    if (!process.waitFor(10, TimeUnit.MINUTES)) {
      throw new AssertionError("still running; it said: " + said());
    }
    reader.join();
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
