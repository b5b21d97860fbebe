package io.github.urae.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.urae.internal.FileReplacement;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ctrl-C and termination end a command that works, say so and leave nothing behind. */
@EnabledOnOs(OS.LINUX)
class InterruptionTest {

  /** Work may be over before the signal comes. */
  private static final int TRIES = 5;

  @TempDir Path folder;

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    }
  }

  private boolean writing() {
    try {
      return files().stream().anyMatch(name -> name.endsWith(FileReplacement.PARTIAL_SUFFIX));
    } catch (IOException e) {
      return false;
    }
  }

  private void assertInterrupted(
      String signal, int status, Predicate<CommandProcess> begun, List<String> arguments)
      throws Exception {
    assumeTrue(
        !signal.equals("INT") || CommandProcess.hearsInterrupts(), "Ctrl-C is ignored around here");
    for (int i = 0; i < TRIES; i++) {
      Path output = folder.resolve("output" + i + ".png");
      List<String> all = new ArrayList<>(arguments);
      all.addAll(List.of("--output", output.toString()));
      try (CommandProcess urae = CommandProcess.start(all)) {
        while (urae.isAlive() && !begun.test(urae)) {
          Thread.sleep(1);
        }
        urae.signal(signal);
        int ended = urae.status();
        if (ended == 0) {
          continue;
        }
        assertThat(ended).as(urae.said()).isEqualTo(status);
        assertThat(urae.said()).contains("urae: interrupted; what was begun is removed");
        assertThat(files()).noneMatch(name -> name.startsWith(output.getFileName().toString()));
        return;
      }
    }
    throw new AssertionError("done before the signal " + TRIES + " times");
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void generate(String signal, int status) throws Exception {
    assertInterrupted(
        signal,
        status,
        urae -> urae.hasThread("urae-transform"),
        List.of("generate", "a star", "--steps", "3000", "--width", "256", "--height", "256"));
  }

  @ParameterizedTest
  @CsvSource({"INT, 130", "TERM, 143"})
  void merge(String signal, int status) throws Exception {
    assertInterrupted(signal, status, urae -> writing(), withAdapters("merge", "demo:2k"));
  }

  @Test
  void export() throws Exception {
    assertInterrupted("INT", 130, urae -> writing(), withAdapters("export", "demo:2k"));
  }

  private static List<String> withAdapters(String command, String adapter) {
    List<String> arguments = new ArrayList<>(List.of(command));
    for (String each : Collections.nCopies(30, adapter)) {
      arguments.addAll(List.of("--adapter", each));
    }
    return arguments;
  }

  @Test
  void whatDoesNotEndIsLeftAndItsFilesRemoved() throws Exception {
    Path file = FileReplacement.temporarySibling(folder.resolve("picture.png"));
    Path inside =
        Files.createDirectory(FileReplacement.temporarySibling(folder.resolve("merged")))
            .resolve("weights");
    Files.writeString(file, "half");
    Files.writeString(inside, "half");
    StringWriter err = new StringWriter();
    List<Integer> halted = new ArrayList<>();
    Interruption interruption =
        new Interruption(new PrintWriter(err), Duration.ofMillis(50), halted::add);
    interruption.interrupt(130);
    assertThat(interruption.cancellation().isCancelled()).isTrue();
    assertThat(halted).containsExactly(130);
    assertThat(err.toString()).contains("urae: interrupted");
    assertThat(files()).isEmpty();
  }
}
