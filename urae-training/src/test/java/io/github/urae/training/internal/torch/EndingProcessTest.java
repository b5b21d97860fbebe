package io.github.urae.training.internal.torch;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TrainingEngine;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A process that ends in the midst of a step ends as it was told to. */
class EndingProcessTest {

  /** Computes on a thread that nobody waits for, and ends the process meanwhile. */
  static final class Steps {

    private Steps() {}

    public static void main(String[] arguments) throws Exception {
      RecordedRun run = new RecordedRun("2k", "adamw");
      StepInputs step = run.step(1);
      TrainingEngine engine = run.open(run.settings());
      engine.accumulate(step, 1);
      Thread computing =
          new Thread(
              () -> {
                while (true) {
                  engine.accumulate(step, 1);
                }
              });
      computing.setDaemon(true);
      computing.start();
      TimeUnit.MILLISECONDS.sleep(Long.parseLong(arguments[0]));
      System.exit(7);
    }
  }

  @Test
  @Timeout(900)
  void aProcessEndsInTheMidstOfAStep() throws IOException, InterruptedException {
    for (int delay : new int[] {3, 40}) {
      Process process =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                      "-XX:TieredStopAtLevel=1",
                      "-XX:-CreateCoredumpOnCrash",
                      "-cp",
                      System.getProperty("java.class.path"),
                      Steps.class.getName(),
                      Integer.toString(delay)))
              .redirectErrorStream(true)
              .start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as(output).isEqualTo(7);
    }
  }
}
