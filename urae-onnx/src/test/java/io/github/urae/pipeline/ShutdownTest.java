package io.github.urae.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.device.Device;
import io.github.urae.flux.GeneratedImage;
import io.github.urae.flux.GenerationRequest;
import io.github.urae.testkit.TestData;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Processes that end while networks run: {@code ./benchmark shutdown} is the long version. */
class ShutdownTest {

  private static final int STATUS = 7;
  private static final int SIGTERM_STATUS = 143;
  private static final String WORKING = "working";

  /** Where Java would leave its report of a crash. */
  @TempDir Path folder;

  /** Draws without end on two threads. */
  static final class Endless {

    public static void main(String[] arguments) throws IOException {
      FluxPipeline pipeline = open();
      draw(pipeline, 64);
      System.out.println(WORKING);
      for (int side : new int[] {64, 128}) {
        new Thread(
                () -> {
                  while (true) {
                    draw(pipeline, side);
                  }
                })
            .start();
      }
      if (arguments.length > 0) {
        sleep(Integer.parseInt(arguments[0]));
        System.exit(STATUS);
      }
    }
  }

  /** Draws in a shutdown hook, as a service does that answers its last callers. */
  static final class AnsweringLast {

    public static void main(String[] arguments) throws IOException {
      FluxPipeline pipeline = open();
      System.out.println(draw(pipeline, 64));
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    sleep(500); // ONNX Runtime's own hook runs at the same time.
                    try (FluxPipeline another = open()) {
                      System.out.println(draw(another, 64));
                    } catch (IOException e) {
                      throw new UncheckedIOException(e);
                    }
                  }));
      System.exit(STATUS);
    }
  }

  private static FluxPipeline open() throws IOException {
    return FluxPipeline.builder()
        .model(TestData.checkpoint())
        .device(Device.cpu())
        .cacheFolder(TestData.CACHE)
        .build();
  }

  private static int draw(FluxPipeline pipeline, int side) {
    GenerationRequest request =
        GenerationRequest.builder("a star").size(side, side).steps(2).seed(1).build();
    GeneratedImage image = pipeline.generate(request).get(0);
    return Arrays.hashCode(image.latents().toFloats());
  }

  private static void sleep(int milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Process start(Class<?> program, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:ErrorFile=" + folder.resolve("crash.log")));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  @Test
  @DisabledOnOs(OS.WINDOWS)
  void endsInOrderAtAnyMoment() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 4; i++) {
      boolean exits = i % 2 == 1;
      int delay = random.nextInt(300);
      Process process =
          exits ? start(Endless.class, Integer.toString(delay)) : start(Endless.class);
      List<String> said = new ArrayList<>();
      try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
          if (!exits && said.isEmpty()) {
            sleep(delay);
            process.toHandle().destroy(); // SIGTERM
          }
          said.add(line);
        }
      }
      assertThat(process.waitFor())
          .as("seed %d, %s after %d ms: %s", seed, exits ? "exit" : "SIGTERM", delay, said)
          .isEqualTo(exits ? STATUS : SIGTERM_STATUS);
      assertThat(said).containsExactly(WORKING);
    }
  }

  @Test
  void networksRunUntilTheEnd() throws Exception {
    Process process = start(AnsweringLast.class);
    try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
      List<String> said = reader.lines().toList();
      assertThat(process.waitFor()).as("%s", said).isEqualTo(STATUS);
      assertThat(said).hasSize(2);
      assertThat(said.get(1)).isEqualTo(said.get(0));
    }
  }
}
