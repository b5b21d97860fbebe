package io.github.urae.cli.train;

import io.github.urae.training.TrainingStage;
import picocli.CommandLine.Command;

/** {@code urae train minor}: URAE's way to 4K. */
@Command(
    name = "minor",
    description =
        "Train minor components on top of --adapter, with URAE's settings for 4K: 10,000 steps, NTK"
            + " factor 10, proportional attention.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
final class MinorCommand extends StageCommand {

  @Override
  TrainingStage stage() {
    return TrainingStage.MINOR;
  }
}
