package io.github.urae.benchmarks;

import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A program of this class path in a process of its own. Both outputs are read, as one. */
final class JavaProcess implements Closeable {

  private final Process process;
  private final Thread reader;
  private final StringBuilder said = new StringBuilder();

  private JavaProcess(Process process) {
    this.process = process;
    reader = new Thread(this::read, "reader");
    reader.setDaemon(true);
    reader.start();
  }

  /**
   * Starts a program.
   *
   * @param folder where it runs, and where Java writes what it has to say of a crash
   * @param program its class
   * @param arguments for the program
   */
  static JavaProcess start(Path folder, String program, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Compiled quickly rather than well: hundreds are started, each for a second.
    command.addAll(List.of("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), program));
    command.addAll(arguments);
    return new JavaProcess(
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start());
  }

  private void read() {
    try (BufferedReader lines = process.inputReader()) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        synchronized (said) {
          said.append(line).append('\n');
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Waits until it has said a line, or is over. */
  void awaitLine(String line) throws InterruptedException {
    CountDownLatch never = new CountDownLatch(1);
    while (process.isAlive() && !("\n" + said()).contains("\n" + line + "\n")) {
      boolean unused = never.await(1, TimeUnit.MILLISECONDS);
    }
  }

  /** Asks it to end (SIGTERM). */
  void terminate() {
    // A process's own methods would close the streams as well.
    process.toHandle().destroy();
  }

  /** Ends it at once (SIGKILL). */
  void kill() {
    process.toHandle().destroyForcibly();
  }

  boolean waitFor(long time, TimeUnit unit) throws InterruptedException {
    boolean over = process.waitFor(time, unit);
    if (over) {
      reader.join();
    }
    return over;
  }

  /** Returns the exit status of a process that is over. */
  int status() {
    return process.exitValue();
  }

  /** Returns what it has said so far. */
  String said() {
    synchronized (said) {
      return said.toString();
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
