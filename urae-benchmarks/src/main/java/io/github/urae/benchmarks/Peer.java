package io.github.urae.benchmarks;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A process that runs steps on demand: it says on its first line what it is, and then answers one
 * line with one line. Peak memory is sampled; a process's own high-water mark would count what it
 * needed to load as well.
 */
final class Peer implements Closeable {

  /** Begins every line that is an answer; libraries print lines of their own. */
  static final String ANSWER = "=> ";

  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter questions;
  private final String description;
  private final List<Double> seconds = new ArrayList<>();
  private double peakMegabytes;

  Peer(List<String> command) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    // Set on some machines for old builds of OpenBLAS; slows a current one.
    builder.environment().keySet().removeAll(List.of("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"));
    process = builder.start();
    answers = process.inputReader();
    questions = process.outputWriter();
    try {
      description = answer();
    } catch (IOException e) {
      process.destroy();
      throw e;
    }
  }

  String description() {
    return description;
  }

  /** Runs a step and forgets its time. */
  void warmUp() throws IOException {
    ask("run");
  }

  void run() throws IOException {
    try (PeakMemory memory = PeakMemory.watching(() -> AnonymousMemory.megabytes(process.pid()))) {
      seconds.add(Double.valueOf(ask("run")));
      peakMegabytes = Math.max(peakMegabytes, memory.megabytes());
    }
  }

  /** Writes the velocity of the last step, float32. */
  void save(Path file) throws IOException {
    ask("save " + file);
  }

  List<Double> seconds() {
    return seconds;
  }

  double peakMegabytes() {
    return peakMegabytes;
  }

  /** Sends a line, and returns the answer to it. */
  String ask(String question) throws IOException {
    questions.write(question);
    questions.newLine();
    questions.flush();
    return answer();
  }

  private String answer() throws IOException {
    for (String line = answers.readLine(); line != null; line = answers.readLine()) {
      if (line.startsWith(ANSWER)) {
        return line.substring(ANSWER.length());
      }
      System.err.println(line);
    }
    throw new IOException("the process ended: " + process.info().commandLine().orElse("?"));
  }

  @Override
  public void close() throws IOException {
    // Both end with their input.
    questions.close();
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
    }
  }
}
