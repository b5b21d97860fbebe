package io.github.urae.benchmarks;

import io.github.urae.training.FluxTraining;
import io.github.urae.training.TrainingStage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.stream.Stream;

/**
 * A training that is killed with SIGKILL at random moments and resumed each time, against one that
 * is not: both are to end with the same weights, bit for bit. The state is saved after each step,
 * so that kills meet steps and writing alike.
 *
 * <p>Arguments: a prepared folder, {@code --model DIR}, {@code --kills N} (20), {@code --steps N}
 * (60), {@code --seed N} of the moments (that of the clock).
 */
public final class TrainingKills {

  private static final String CHILD = "child";

  /** After the first checkpoint of a process, at most: some steps and checkpoints. */
  private static final int MOST_MILLIS = 1500;

  /** Every so many kills meet the start of a process. */
  private static final int AT_START = 5;

  private TrainingKills() {}

  /**
   * Runs the proof, or one of its processes.
   *
   * @param arguments as above
   * @throws Exception if a process fails by itself, or the weights differ
   */
  public static void main(String[] arguments) throws Exception {
    if (arguments.length > 0 && arguments[0].equals(CHILD)) {
      train(arguments);
      return;
    }
    Arguments options =
        Arguments.parse(
            arguments, "training-kills DATA --model DIR [--kills N] [--steps N] [--seed N]");
    String model = options.option("model", "");
    int kills = options.number("kills", 20);
    String steps = options.option("steps", "60");
    long seed = Long.parseLong(options.option("seed", Long.toString(System.nanoTime())));
    String data = options.only();
    options.finish();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    Path folder = Files.createTempDirectory("urae-training-kills");
    Path whole = folder.resolve("whole");
    Path killed = folder.resolve("killed");
    check(start(model, data, whole, steps).waitFor() == 0, "the training failed");
    int done = 0;
    while (done < kills) {
      Process process = start(model, data, killed, steps);
      String before = checkpoints(killed);
      while (done % AT_START != 0 && process.isAlive() && checkpoints(killed).equals(before)) {
        Thread.sleep(1);
      }
      Thread.sleep(random.nextInt(MOST_MILLIS));
      if (process.isAlive()) {
        process.destroyForcibly().waitFor();
        done++;
        System.out.println("kill " + done + ": " + checkpoints(killed));
      } else {
        check(process.exitValue() == 0, "the resumed training failed");
        System.out.println("complete after " + done + " kills; from the beginning again");
        compare(whole, killed);
        new TemporaryFolder(killed).close();
      }
    }
    check(start(model, data, killed, steps).waitFor() == 0, "the resumed training failed");
    compare(whole, killed);
    System.out.println("the same weights after " + kills + " kills");
    new TemporaryFolder(folder).close();
  }

  private static String checkpoints(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return "nothing yet";
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .map(entry -> entry.getFileName().toString())
          .filter(name -> name.startsWith("checkpoint-"))
          .sorted()
          .toList()
          .toString();
    }
  }

  private static void compare(Path whole, Path killed) throws IOException {
    String name = "adapter.safetensors";
    check(Files.mismatch(whole.resolve(name), killed.resolve(name)) == -1, "the weights differ");
  }

  private static void check(boolean fine, String failure) {
    if (!fine) {
      throw new IllegalStateException(failure);
    }
  }

  private static Process start(String model, String data, Path output, String steps)
      throws IOException {
    ProcessBuilder process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                TrainingKills.class.getName(),
                CHILD,
                model,
                data,
                output.toString(),
                steps)
            .inheritIO();
    return process.start();
  }

  private static void train(String[] arguments) throws IOException {
    FluxTraining.builder()
        .model(Path.of(arguments[1]))
        .stage(TrainingStage.LORA)
        .data(Path.of(arguments[2]))
        .output(Path.of(arguments[3]))
        .rank(4)
        .steps(Long.parseLong(arguments[4]))
        .checkpoints(1, 2)
        .threads(1)
        .resumeLatest()
        .build()
        .run();
  }
}
