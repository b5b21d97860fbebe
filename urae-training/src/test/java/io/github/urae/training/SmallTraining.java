package io.github.urae.training;

import io.github.urae.testkit.TestData;
import java.io.IOException;
import java.nio.file.Path;

/** A training of the small checkpoint on three small pictures; also a process that runs it. */
final class SmallTraining {

  static final int STEPS = 8;

  private SmallTraining() {}

  /** Returns the training, always the same, for some folder. */
  static FluxTraining.Builder builder(Path output) throws IOException {
    return FluxTraining.builder()
        .model(TestData.checkpoint())
        .cacheFolder(TestData.CACHE)
        .stage(TrainingStage.LORA)
        .data(TestData.path("training/data"))
        .output(output)
        .rank(4)
        .steps(STEPS)
        .accumulate(2)
        .checkpoints(3, 2)
        .threads(1)
        .seed(7);
  }

  /**
   * Trains, or goes on with it, saving after each step.
   *
   * @param arguments the folder
   */
  public static void main(String[] arguments) throws IOException {
    builder(Path.of(arguments[0])).checkpoints(1, 2).resumeLatest().build().run();
  }
}
